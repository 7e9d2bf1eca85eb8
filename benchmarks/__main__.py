"""Run every benchmark, or those named: `python -m benchmarks [training] [reporting] [browser] [screen]`."""

import sys

from benchmarks import browser, reporting, screen, training

ALL = {"training": training.main, "reporting": reporting.main, "browser": browser.main, "screen": screen.main}

if __name__ == "__main__":
    for name in sys.argv[1:] or list(ALL):
        print(f"== {name}")
        ALL[name]()
