"""Rules and records: synchronous functions on a transaction; no HTTP, no await. May import ``base`` and the database promise.

Services stand in a row, and each may import those before it: identity, placement, image, network, volume, compute, scheduler.
"""
