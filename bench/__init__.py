"""Side-by-side benchmarks: the service beside named peers and limits, in one run on one machine."""
