"""Small weights in the layout of the benchmarks."""

from benchmark_weights import weights  # noqa: F401
