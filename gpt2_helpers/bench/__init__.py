"""Measures this machine: `gpt2-helpers bench`, and the workloads that `benchmarks/` uses too.

Speed does not depend on the values of the weights, so random ones can be measured.
"""
