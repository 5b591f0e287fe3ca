"""Simulated hosts with their agents over a database that has flavors, networks and an image: the outside of compute's sagas.

The hosts go on when a process of the control side dies, as hosts do.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import msgspec

from minicloud.agent import calls, volume_calls
from minicloud.agent.compute import HostAgent
from minicloud.agent.volume import BackendAgent
from minicloud.conductor import host_reports
from minicloud.conductor.world import Options
from minicloud.core import records
from minicloud.core.compute import flavors, requests, servers
from minicloud.core.compute.requests import ServerRequest
from minicloud.core.compute.servers import Server
from minicloud.core.context import Context
from minicloud.core.image import images, uploads
from minicloud.core.network import bootstrap as networks
from minicloud.core.volume import types
from minicloud.drivers.fabric import MetadataReply, MetadataRequest
from minicloud.drivers.fabric.fake import FakeFabric
from minicloud.drivers.hypervisor.fake import FakeHypervisor, FakeWorld, HostSize
from minicloud.drivers.statelog import StateLog
from minicloud.drivers.storage.fake import FakeImages, FakeStorage
from minicloud.drivers.storage.fakevolumes import FakeVolumes
from minicloud.engines.blobs.memory import MemoryBlobs
from minicloud.engines.database import Transaction
from minicloud.engines.database.inline import InlineDatabase
from minicloud.engines.messaging.inprocess import InProcess
from minicloud.engines.servicegroup.memory import MemoryServiceGroup
from tests.support.rewound import RewoundDatabase
from tests.support.worlds import Outside

PROJECT = "11111111111111111111111111111111"
OWNER = Context(
    request_id="req-00000000-0000-4000-8000-000000000001",
    user_id="22222222222222222222222222222222",
    project_id=PROJECT,
    roles=frozenset({"member", "reader"}),
)
IMAGE = "33333333-3333-4333-8333-333333333333"
BYTES = b"\0" * 512
_TABLES = ("machines", "networks", "routers", "ports", "images", "bases", "disks", "volumes", "snapshots", "kept")


class Snapshot(msgspec.Struct, frozen=True):
    """A datacenter at rest, to begin others with, one after the other: its database, and what lies on its hosts."""

    database: RewoundDatabase
    rows: list[tuple[str, str, str, Any]]


class Datacenter(Outside):
    """Hosts named ``host-1`` and so on. ``fake`` has the script of faults and power over guests."""

    def __init__(self, log: StateLog, **parts: Any) -> None:
        super().__init__(**parts)
        self.log = log
        self.fake = FakeWorld(log)
        self.agents: dict[str, HostAgent] = {}

    def machines(self) -> dict[str, dict[str, str]]:
        """Every machine by host, with its power."""
        return {
            host: {m: str(_power(row)) for m, row in self.log.rows("machines", host).items()} for host in self.agents
        }

    def wired(self) -> dict[str, list[str]]:
        """The ports that stand on each host."""
        return {host: sorted(self.log.rows("ports", host)) for host in self.agents}

    def disks(self) -> dict[str, list[str]]:
        """The machines that have disks on each host."""
        return {host: [key for key in self.log.rows("disks", host) if "/" not in key] for host in self.agents}

    def stored(self) -> dict[str, list[str]]:
        """The volumes and snapshots that lie on the backends."""
        return {
            table: sorted(key for host in self.log.hosts(table) for key in self.log.rows(table, host))
            for table in ("volumes", "snapshots", "kept")
        }

    def stored_on(self, backend: str) -> list[str]:
        """The volumes that lie on one of the further backends."""
        return sorted(self.log.rows("volumes", f"volumes-{backend}"))

    def snapshot(self) -> Snapshot:
        """All of it, at rest."""
        assert isinstance(self.database, InlineDatabase)
        rows = [
            (table, host, key, value)
            for table in _TABLES
            for host in self.log.hosts(table)
            for key, value in self.log.rows(table, host).items()
        ]
        return Snapshot(RewoundDatabase(self.database.image()), rows)

    async def host_stops(self, host: str) -> None:
        """The host falls silent for good, as everybody knows; what lies on it stays."""
        self.servicegroup.silence(f"nova-compute@{host}")
        assert isinstance(self.servicegroup, MemoryServiceGroup)
        await self.servicegroup.leave(f"nova-compute@{host}")


def _power(row: Any) -> Any:
    return row.power if hasattr(row, "power") else row["power"]


async def _no_metadata(request: MetadataRequest) -> MetadataReply:
    return MetadataReply(status=404, body=b"")


async def a_datacenter(
    stack: AsyncExitStack,
    *,
    hosts: int = 3,
    like: Snapshot | None = None,
    options: Options | None = None,
    backends: tuple[str, ...] = (),
) -> Datacenter:
    """Hosts of 16 vCPUs, and further ``backends``; with ``like`` as that one was, else new."""
    log = StateLog()
    for table, host, key, value in like.rows if like is not None else []:
        log.put(table, host, key, value)
    if like is not None:
        like.database.rewind()
    messaging = await stack.enter_async_context(InProcess())
    center = Datacenter(
        log,
        database=InlineDatabase() if like is None else like.database,
        messaging=messaging,
        servicegroup=MemoryServiceGroup(),
        blobs=MemoryBlobs(),
        options=options,
    )
    await center.blobs.put(IMAGE, _pieces(BYTES))
    if like is None:
        await center.database.write(_first_records)
    world = center.world()

    async def hear(message: Any) -> None:
        match message:
            case calls.HostUp():
                await host_reports.host_up(world, message)
            case volume_calls.BackendUp():
                await host_reports.backend_up(world, message)
            case calls.PowerChanged():
                await host_reports.power_changed(world, message)

    await stack.enter_async_context(
        messaging.listen(
            calls.CONTROL, host=calls.CONTROL, messages=(*calls.TO_CONTROL, volume_calls.BackendUp), handler=hear
        )
    )
    stored = FakeImages(log)
    for name in (None, *backends):
        where = "volumes" if name is None else f"volumes-{name}"
        backend = BackendAgent(
            "control",
            store=FakeVolumes(log, where, images=stored, faults=center.fake.faults),
            name=name,
            blobs=center.blobs,
            messaging=messaging,
            servicegroup=center.servicegroup,
        )
        await stack.enter_async_context(backend.running())
    for number in range(1, hosts + 1):
        host = f"host-{number}"
        agent = HostAgent(
            host,
            hypervisor=FakeHypervisor(center.fake, host, HostSize()),
            fabric=FakeFabric(log, host),
            storage=FakeStorage(log, host, images=stored, faults=center.fake.faults),
            blobs=center.blobs,
            messaging=messaging,
            servicegroup=center.servicegroup,
        )
        await agent.fabric.open(_no_metadata)
        await stack.enter_async_context(agent.running())
        center.agents[host] = agent
    return center


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _first_records(tx: Transaction) -> None:
    flavors.bootstrap(tx)
    types.ensure_default(tx)
    networks.ensure_networks(tx, demo_project_id=PROJECT, admin_project_id="admin")
    image = images.create(
        tx, owner=None, image_id=IMAGE, name="cirros", visibility="public", disk_format="raw", container_format="bare"
    )
    image = uploads.begin(tx, image)
    assert image.upload_id is not None
    received = uploads.Received(
        size=len(BYTES), virtual_size=len(BYTES), md5="0" * 32, sha512=hashlib.sha512(BYTES).hexdigest()
    )
    uploads.finish(tx, IMAGE, image.upload_id, received)


def ask(tx: Transaction, **wanted: Any) -> tuple[Server, int]:
    """Promise a server of m1.tiny on the only network there is; with the id of the action that makes it."""
    request = ServerRequest(**{"name": "web", "flavor_ref": "1", "image_id": IMAGE, **wanted})
    return requests.ask(tx, OWNER, request)[0]


def only_server(tx: Transaction) -> Server:
    """The one server there is."""
    found = records.select(tx, Server)
    assert len(found) == 1
    return found[0]


def take(tx: Transaction, action: str) -> tuple[Server, int]:
    """Take the one server there is for an action, as the API does."""
    return servers.take(tx, OWNER, only_server(tx).id, action)
