"""Starts real servers, etcd and the program under test, for integration tests, the demonstration and
the benchmarks. Everything of one run lives below one temporary folder and ends with it."""
