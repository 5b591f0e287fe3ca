"""Runs the benchmarks: all of them, or those that are named."""

import importlib
import inspect
import sys

import uvloop

ALL = (
    "startup",
    "boot_storm",
    "volumes",
    "requests",
    "network",
    "listing",
    "sign_in",
    "candidates",
    "schedule_1000_hosts",
    "image_transfer",
    "image_cache",
    "qemu_boot",
    "wiring",
)
"""Not among them: ``placement_peer``, which installs the peer from PyPI."""


for name in sys.argv[1:] or ALL:
    print(f"# {name}", flush=True)
    result = importlib.import_module(f"bench.{name}").main()
    if inspect.iscoroutine(result):
        uvloop.run(result)
