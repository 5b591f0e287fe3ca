"""Compute's rules and records: hosts, servers and their lifecycle, actions, flavors, keypairs. May import the services before it."""
