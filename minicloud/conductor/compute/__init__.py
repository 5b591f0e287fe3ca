"""The sagas of compute, a file each: what becomes of a server, step by step. ``specs`` turns records to what a host is told."""
