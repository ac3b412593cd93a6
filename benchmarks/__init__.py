"""Benchmarks: ratios taken in one run, never bare figures."""
