"""Tests of the fabric drivers, simulated and real."""
