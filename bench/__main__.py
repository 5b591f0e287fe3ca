"""Runs the benchmarks: all of them, or those that are named."""

import asyncio
import importlib
import sys

ALL = ("startup", "boot_storm", "requests", "candidates", "qemu_boot")

for name in sys.argv[1:] or ALL:
    print(f"# {name}", flush=True)
    asyncio.run(importlib.import_module(f"bench.{name}").main())
