"""Run every benchmark, or those named: `python -m benchmarks [training] [browser]`."""

import sys

from benchmarks import browser, training

ALL = {"training": training.main, "browser": browser.main}

if __name__ == "__main__":
    for name in sys.argv[1:] or list(ALL):
        print(f"== {name}")
        ALL[name]()
