"""How sagas of block storage reach a backend: one that is known to be away is not waited for."""

from collections.abc import Collection
from typing import TypeVar

import anyio

from minicloud.agent import volume_calls
from minicloud.base import trace
from minicloud.base.errors import Failed, Unavailable
from minicloud.conductor import log
from minicloud.conductor.world import World
from minicloud.core.volume import backends
from minicloud.engines.database import Transaction
from minicloud.engines.messaging import Message

R = TypeVar("R")
TURN_POLL_S = 0.05


async def ask(world: World, host: str, message: Message[R], *, timeout_s: float = 120.0) -> R:
    """What the backend of ``machine@driver#pool`` answers. Raises Unavailable when it is down, and what it raised."""
    if not await world.servicegroup.is_up(backends.member(host)):
        raise Unavailable(f"The storage backend {volume_calls.backend_of(host)} is down", host=host)
    return await world.backends.ask(host, message, timeout_s=timeout_s)


async def clean(world: World, host: str, *messages: Message[None]) -> None:
    """Take back what was begun on a backend. One that is down, or says that it cannot, is cleaned by the reconciler later: what
    its users are to be told does not wait for that."""
    if not await world.servicegroup.is_up(backends.member(host)):
        return
    for message in messages:
        try:
            await ask(world, host, message)
        except Failed as error:
            trace.note("not_undone", host=host, message=type(message).__name__, why=error.message)


async def ensure_turn(world: World, resource: str, kinds_after: Collection[str]) -> None:
    """No saga about this resource is under way any more but those of these kinds: what was asked for earlier has ended."""
    told: list[str] = []
    while waiting := await world.database.read(lambda tx: _others(tx, resource, kinds_after)):
        if waiting != told:
            trace.note("waiting", sagas=waiting)
            told = waiting
        await anyio.sleep(TURN_POLL_S)


def _others(tx: Transaction, resource: str, kinds_after: Collection[str]) -> list[str]:
    rows = log.of_resource(tx, resource)
    return [row.kind for row in rows if row.state not in (*log.ENDED, "stuck") and row.kind not in kinds_after]
