"""Suites that others wrote, run unchanged against a cloud of this checkout; ``make conformance SUITE=identity``."""
