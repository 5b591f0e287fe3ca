"""What runs on each host: hears messages, turns the drivers, beats its heart.

``calls`` holds the typed messages and the caller's side: all that the control side may import of it. ``compute`` is the agent
of one host. May import base, the drivers' promises, and the promises of messaging, servicegroup and blobs.
"""
