"""Builders and tools of our own tests."""
