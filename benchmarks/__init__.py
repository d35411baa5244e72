"""One script a claim, each running argflux and its peers in one process; `python -m benchmarks` runs them all."""
