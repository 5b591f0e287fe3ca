"""Repairs: read everything, compare, mend. No input, safe to repeat, poked on change and run on a period anyway.

``loop`` is the machine; every other file is one repair. May import base, core, conductor, agent.calls, engine promises.
"""
