"""Tasks that live from a fabric's opening to its closing, whichever tasks call these two."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.abc

from minicloud.base import trace


class Background:
    """A task group in an asyncio task of its own: opening and closing need not happen in the same task, as anyio's scopes demand."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._group: anyio.abc.TaskGroup | None = None
        self._stop = anyio.Event()

    async def start(self) -> None:
        """Be ready for ``spawn``."""
        ready = anyio.Event()
        self._stop = anyio.Event()
        self._task = asyncio.create_task(self._run(ready), name="fabric background")
        await ready.wait()

    async def stop(self) -> None:
        """End all tasks and wait for their end."""
        self._stop.set()
        if self._task is not None:
            await self._task
            self._task = None

    def spawn(self, function: Callable[..., Awaitable[Any]], *arguments: Any) -> anyio.CancelScope:
        """Run a function until it ends or the scope is cancelled. It must not raise: there is nobody to hear it."""
        if self._group is None:
            raise RuntimeError("the fabric is not open")
        scope = anyio.CancelScope()
        with trace.about(request_id="", resource=""):
            self._group.start_soon(self._inside, scope, function, arguments)
        return scope

    async def _inside(
        self, scope: anyio.CancelScope, function: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]
    ) -> None:
        with scope:
            await function(*arguments)

    async def _run(self, ready: anyio.Event) -> None:
        try:
            async with anyio.create_task_group() as group:
                self._group = group
                ready.set()
                await self._stop.wait()
                group.cancel_scope.cancel()
        finally:
            self._group = None
