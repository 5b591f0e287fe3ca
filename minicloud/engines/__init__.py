"""Swappable infrastructure: a folder per role with its promise in ``__init__``, a product per file. May import ``base`` only."""
