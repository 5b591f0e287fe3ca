"""Words and tools that know nothing of clouds: clock, ids, errors, trace, programs. May import anyio and msgspec only."""
