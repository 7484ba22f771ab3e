"""Measures this machine: `gpt2-helpers bench`, and the workloads that `benchmarks/` uses too.

Speed does not depend on what the weights are, so that random ones do.
"""
