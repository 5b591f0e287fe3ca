"""The outside world: plain specs in, plain facts out. A folder per role, a product per file or folder; may import ``base`` only."""
