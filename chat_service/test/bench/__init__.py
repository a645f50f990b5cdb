"""Tests of the benchmarks that stand beside the service."""
