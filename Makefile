# `make run` serves the app, `make check` runs the quick checks, `make test` all. Each sets up what it needs.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
PORT ?= 8501

# The tests start many processes, which need not compile the same modules again, whatever the environment says.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: run check test test-ray lint types quick-tests all-tests setup setup-dev browser wheel benchmarks clean

run: $(VENV)/.runtime
	$(BIN)/streamlit run app.py --server.port $(PORT)

# Lint, types and the tests that need neither a browser nor training, side by side: two minutes on two cores.
check: $(VENV)/.dev
	@$(MAKE) --no-print-directory --jobs=3 lint types quick-tests

test: browser
	@$(MAKE) --no-print-directory --jobs=3 lint types all-tests

quick-tests: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not browser and not slow"

# Two at a time: many tests wait for other processes. Those of the browser come last. What fails is tried once more, and
# named RERUN at the end if it passes then: browsers and killed processes fail of themselves once in some thousand tests.
all-tests: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not ray" --reruns 1 -raR

# What needs Ray, which nothing else does: minutes, and some forty processes. The object store is moto's.
test-ray: $(VENV)/.dev
	$(BIN)/python -m pip install -q -r requirements-ray.txt "moto[server]>=5.1,<6"
	$(BIN)/python -m pytest -m ray --timeout 1500 tests/runs

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/deno lint --quiet
	$(BIN)/deno check --quiet explorer/ui/components tests/scripts
	$(BIN)/deno test --quiet

types: $(VENV)/.dev
	$(BIN)/mypy

# Debian's chromium where apt is there and we may use it, else Playwright's own download.
browser: $(VENV)/.dev
	@sh tests/browser/install.sh $(BIN)

setup: $(VENV)/.runtime
setup-dev: $(VENV)/.dev

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Latent Explorer needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements.txt requirements-dev.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -r requirements-dev.txt
	@touch $@ $(VENV)/.runtime

# One file in dist/ that `pip install` takes on any machine: the package, the app and the shipped models.
wheel: $(VENV)/.dev
	$(BIN)/python -m pip wheel -q --no-build-isolation --no-deps --wheel-dir dist .

benchmarks: $(VENV)/.dev
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache
