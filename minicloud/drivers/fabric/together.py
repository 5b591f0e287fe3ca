"""Doing several things at once and failing as one of them failed."""

from collections.abc import Callable, Coroutine
from typing import Any

import anyio


async def together(*jobs: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """Run all jobs at once and wait for them; the first failure ends the others and is raised as it is, not in a group."""
    try:
        async with anyio.create_task_group() as group:
            for job in jobs:
                group.start_soon(job)
    except ExceptionGroup as failures:
        first: Exception = failures
        while isinstance(first, ExceptionGroup):
            first = first.exceptions[0]
        raise first from None
