"""What is measured, and against what. `python -m benchmarks` runs all of it; README.md has the results."""
