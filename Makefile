# `make run` serves the app, `make test` runs every check. Both set up what they need.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
PORT ?= 8501

.PHONY: run test lint types unit setup setup-dev browser benchmarks clean

run: $(VENV)/.runtime
	$(BIN)/streamlit run app.py --server.port $(PORT)

test: lint types unit

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.dev
	$(BIN)/mypy

# Two at a time: many tests wait for other processes. Those in the browser share a server and a Chromium a worker.
# The models that pages are tested with are trained once for both.
unit: $(VENV)/.dev browser
	trained=$$(mktemp -d) && trap 'rm -rf "$$trained"' EXIT && export TRAINED_ONCE="$$trained" && \
	$(BIN)/python -m pytest -n 2 --dist worksteal --ignore=tests/browser && \
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/browser

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

benchmarks: $(VENV)/.dev
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
