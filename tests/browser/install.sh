#!/bin/sh
# Make sure that the browser tests have a Chromium: `install.sh BIN`, BIN being the environment's bin folder.
# One that is there is used; else Debian's or Ubuntu's is installed, else Playwright's own. The order in which
# tests/browser/conftest.py looks is the same.
set -eu

bin=${1:?usage: install.sh BIN}
mac="/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"

# A command that runs: Ubuntu's chromium-browser may be a stub that only names a snap.
works() {
    "$1" --version >/dev/null 2>&1
}

system_browser() {
    for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable "$mac"; do
        if [ -n "$name" ] && found=$(command -v "$name") && works "$found"; then
            echo "$found"
            return 0
        fi
    done
    return 1
}

playwrights_browser() {
    "$bin/python" -c '
import os, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as p:
    path = p.chromium.executable_path
print(path)
sys.exit(not os.path.exists(path))' 2>/dev/null
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

if found=$(system_browser) || found=$(playwrights_browser); then
    echo "Browser tests use $found"
    exit 0
fi

if command -v apt-get >/dev/null && as_root true 2>/dev/null; then
    if as_root env DEBIAN_FRONTEND=noninteractive sh -c \
        'apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium' >/dev/null 2>&1 &&
        found=$(system_browser); then
        echo "Browser tests use $found, installed by apt-get"
        exit 0
    fi
fi

with_deps=
if [ "$(uname)" = Linux ] && [ "$(id -u)" = 0 ]; then with_deps=--with-deps; fi
if "$bin/playwright" install $with_deps chromium >/dev/null 2>&1 && found=$(playwrights_browser); then
    echo "Browser tests use $found, downloaded by Playwright"
    exit 0
fi

echo "No Chromium for the browser tests: install Chromium or Chrome, or name its program by CHROMIUM." >&2
exit 1
