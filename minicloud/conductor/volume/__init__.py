"""Sagas of block storage."""
