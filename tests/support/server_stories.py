"""Stories of sagas about a server: what of it is looked at, and a datacenter in which one runs (or is stopped) already."""

from contextlib import AsyncExitStack
from typing import Any

import msgspec

from minicloud.conductor import log
from minicloud.conductor.compute.create_server import CreateServer
from minicloud.conductor.compute.stop_server import StopServer
from minicloud.conductor.executor import Executor
from minicloud.conductor.world import Options
from minicloud.core import records
from minicloud.core.compute.actions import ActionEvent, InstanceAction
from minicloud.core.compute.servers import Server
from minicloud.core.network.rows import Port
from minicloud.engines.database import Transaction
from tests.support.datacenters import Datacenter, Snapshot, a_datacenter, ask, take
from tests.support.saga_contract import Story
from tests.support.worlds import Outside


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a half-made saga about servers could leave behind."""

    servers: list[tuple[str | None, ...]]
    faults: list[str]
    claims: list[tuple[Any, ...]]
    used: list[tuple[Any, ...]]
    ports: list[tuple[Any, ...]]
    addresses: int
    machines: dict[str, dict[str, str]]
    wired: dict[str, list[str]]
    disks: dict[str, list[str]]
    open_sagas: list[str]
    open_actions: list[str]
    last_action: tuple[str, str | None] | None


def look(tx: Transaction, center: Datacenter) -> Picture:
    """The picture of this moment."""
    found = records.select(tx, Server, "1 = 1 ORDER BY id")
    done = records.select(tx, InstanceAction, "1 = 1 ORDER BY id")
    events = records.select(tx, ActionEvent)
    return Picture(
        servers=[(s.vm_state, s.task_state, s.host, "deleted" if s.deleted else "living") for s in found],
        faults=[s.fault.message for s in found if s.fault is not None],
        claims=tx.all(
            "SELECT p.name, a.resource_class, a.used FROM placement_allocations a "
            "JOIN placement_providers p ON p.id = a.provider_id ORDER BY 1, 2"
        ),
        used=tx.all(
            "SELECT p.name, i.resource_class, i.used FROM placement_inventories i "
            "JOIN placement_providers p ON p.id = i.provider_id WHERE i.used <> 0 ORDER BY 1, 2"
        ),
        ports=sorted(
            (p.device_id, p.host, p.status)
            for p in records.select(tx, Port)
            if not p.device_owner.startswith("network:")
        ),
        addresses=tx.all("SELECT count(*) FROM ip_allocations")[0][0],
        machines={host: powers for host, powers in center.machines().items() if powers},
        wired={host: ids for host, ids in center.wired().items() if ids},
        disks={host: ids for host, ids in center.disks().items() if ids},
        open_sagas=[row.kind for row in log.unfinished(tx)],
        open_actions=[a.action for a in done if a.finished_at is None]
        + [e.event for e in events if e.finished_at is None],
        last_action=(done[-1].action, done[-1].message) if done else None,
    )


class ServerStory(Story):
    """A saga about the one server there is. ``given``: as which it is there before the saga begins."""

    given: str = "nothing"
    hosts = 3

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None

    async def outside(self, stack: AsyncExitStack) -> Outside:
        if self._snapshot is None:
            async with AsyncExitStack() as first:
                self._snapshot = (await self._prepared(first)).snapshot()
        return await a_datacenter(stack, hosts=self.hosts, like=self._snapshot, options=Options(shutdown_timeout=5))

    async def _prepared(self, stack: AsyncExitStack) -> Datacenter:
        center = await a_datacenter(stack, hosts=self.hosts)
        async with Executor(center.world(), [CreateServer, StopServer]) as executor:
            await self.prepare(executor)
            await executor.idle()
        return center

    async def prepare(self, executor: Executor) -> None:
        """Make the server that is ``given``."""
        if self.given == "nothing":
            return

        def create(tx: Transaction) -> None:
            server, action_id = ask(tx)
            executor.begin(tx, CreateServer(server_id=server.id, action_id=action_id))

        await executor.world.database.write(create)
        await executor.idle()
        if self.given == "stopped":

            def stop(tx: Transaction) -> None:
                server, action_id = take(tx, "stop")
                executor.begin(tx, StopServer(server_id=server.id, action_id=action_id, claimed="powering-off"))

            await executor.world.database.write(stop)

    async def picture(self, outside: Outside) -> Picture:
        assert isinstance(outside, Datacenter)
        return await outside.database.read(lambda tx: look(tx, outside))


def as_it_was(before: Picture, after: Picture) -> bool:
    """Nothing has changed but that one more action was recorded."""
    return msgspec.structs.replace(after, last_action=None) == msgspec.structs.replace(before, last_action=None)


def is_at_rest(before: Picture, after: Picture, vm_state: str, power: str, *, faults: int = 0) -> bool:
    """The server lives where it lived and has what it had, in this state, and its machine has this power."""
    [(_, _, host, _)] = before.servers
    [(host_of_machine, powers)] = after.machines.items()
    return (
        after.servers == [(vm_state, None, host, "living")]
        and host_of_machine == host
        and list(powers.values()) == [power]
        and len(after.faults) == faults
        and (after.claims, after.used, after.addresses) == (before.claims, before.used, before.addresses)
        and (after.ports, after.wired, after.disks) == (before.ports, before.wired, before.disks)
        and not after.open_sagas
        and not after.open_actions
    )
