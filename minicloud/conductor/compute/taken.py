"""What the sagas of actions share: a server that was taken for an action is given back when the action fails."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
import msgspec

from minicloud.base import trace
from minicloud.base.errors import CloudError, Conflict, Unavailable, from_facts
from minicloud.conductor import log
from minicloud.conductor.step import Saga
from minicloud.conductor.world import World
from minicloud.core import records
from minicloud.core.compute import hosts, lifecycle, servers
from minicloud.core.compute.servers import Server
from minicloud.engines.database import Transaction

T = TypeVar("T")
TURN_POLL_S = 0.05
TAKEN_POLL_S = 0.5


class TakenServer(Saga):
    """An action on a server: ``claimed`` is the task that was set when it was taken."""

    server_id: str
    action_id: int
    claimed: str

    @property
    def about(self) -> str:
        return self.server_id


async def ensure_turn(saga: TakenServer, world: World) -> None:
    """All work on this server that was asked for earlier has ended, or is stuck: its numbers of actions say what is earlier."""
    told: list[str] = []
    while waiting := await world.database.read(lambda tx: _earlier(tx, saga)):
        if waiting != told:
            trace.note("waiting", sagas=waiting)
            told = waiting
        await anyio.sleep(TURN_POLL_S)


def _earlier(tx: Transaction, saga: TakenServer) -> list[str]:
    rows = [row for row in log.of_resource(tx, saga.server_id) if row.state not in (*log.ENDED, "stuck")]
    return [row.kind for row in rows if action_of(row) < saga.action_id]


def action_of(row: log.SagaRow) -> int:
    """The number of the action that a saga about a server carries out: later ones were asked for later."""
    return msgspec.json.decode(row.body, type=_Numbered).action_id


async def while_taken(saga: TakenServer, world: World, ask: Callable[[], Awaitable[T]]) -> T:
    """What a host answers to a question that may take long; nobody who took the server for more waits for that.

    Raises Conflict when the server was taken for something else meanwhile, and what ``ask`` raises.
    """
    answers: list[T] = []
    failure: CloudError | None = None

    async def watch(scope: anyio.CancelScope) -> None:
        while True:
            await anyio.sleep(TAKEN_POLL_S)
            try:
                server = await world.database.read(lambda tx: servers.find(tx, saga.server_id))
            except CloudError as error:
                trace.note("saga_retry", step="watch", in_s=TAKEN_POLL_S, error=error.message)
                continue
            if server is None or server.task_state != saga.claimed:
                scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch, tasks.cancel_scope)
        try:
            answers.append(await ask())
        except CloudError as error:
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if not answers:
        raise Conflict(f"Instance {saga.server_id} was taken for something else while it was {saga.claimed}")
    return answers[0]


class _Numbered(msgspec.Struct):
    """What every saga about a server has."""

    action_id: int


def keep(tx: Transaction, saga: TakenServer, world: World) -> None:
    """The server was taken in the transaction that began this saga; it must not have been taken for deletion since."""
    server = servers.living(tx, saga.server_id)
    if server.task_state != saga.claimed:
        raise Conflict(f"Instance {saga.server_id} was taken for {server.task_state} before {saga.claimed} could begin")


def advance(tx: Transaction, saga: TakenServer, task_state: str, **changes: Any) -> Server:
    """The server is still taken for this, and its task goes on under another name. Raises Conflict when it was taken for
    something else meanwhile."""
    server = servers.living(tx, saga.server_id)
    if server.task_state != saga.claimed:
        raise Conflict(f"Instance {saga.server_id} was taken for {server.task_state} while it was {saga.claimed}")
    saga.claimed = task_state
    return records.change(tx, server, task_state=task_state, updated_at=tx.now, **changes)


def mark_active(tx: Transaction, saga: TakenServer, world: World) -> None:
    """It runs."""
    servers.settle(
        tx, saga.server_id, saga.action_id, saga.claimed, vm_state=lifecycle.ACTIVE, power_state=lifecycle.RUNNING
    )


def give_back(tx: Transaction, saga: TakenServer, world: World) -> None:
    """The server as it was, and the record says why."""
    error = None if saga.failed is None else from_facts(saga.failed)
    servers.give_back(tx, saga.server_id, saga.action_id, saga.claimed, error)


def give_back_in_error(tx: Transaction, saga: TakenServer, world: World) -> None:
    """As ``give_back``, for actions that leave a server without a guest: it ends in ERROR with a fault.

    Unless it was taken for something else meanwhile: then its state is that other action's to tell.
    """
    server = servers.find(tx, saga.server_id)
    if server is None or server.task_state != saga.claimed:
        give_back(tx, saga, world)
        return
    error = from_facts(saga.failed) if saga.failed is not None else Conflict("The action was rolled back")
    servers.give_back(
        tx,
        saga.server_id,
        saga.action_id,
        saga.claimed,
        error,
        vm_state=lifecycle.ERROR,
        fault=servers.fault_of(tx, error),
    )


async def host_of(saga: TakenServer, world: World) -> str:
    """The host that the server lives on. Raises Unavailable when it is down or there is none."""
    server: Server = await world.database.read(lambda tx: servers.living(tx, saga.server_id))
    if server.host is None:
        raise Unavailable(f"Instance {saga.server_id} has no host")
    if not await world.servicegroup.is_up(hosts.member(server.host)):
        raise Unavailable(f"Host {server.host} of instance {saga.server_id} is down", host=server.host)
    return server.host
