"""Move a volume to another backend, also under a guest that reads and writes; or leave it where it was, with an error.

A guest that runs is led from the old file to the new one by its own host. Any other volume is copied, while nothing may start its
server. Only once the record says where the volume is now, the old file goes.
"""

import anyio

from minicloud.agent import calls, volume_calls
from minicloud.agent.volume_calls import VolumeFile
from minicloud.base import trace
from minicloud.base.errors import Conflict, Failed, NotFound
from minicloud.conductor import log
from minicloud.conductor.step import Saga, Step, Steps
from minicloud.conductor.volume import apply_qos
from minicloud.conductor.volume.apply_qos import ApplyQos
from minicloud.conductor.volume.backends import ask
from minicloud.conductor.volume.copies import COPY_S, users_of
from minicloud.conductor.volume.told import ALLOCATE, tell
from minicloud.conductor.world import World
from minicloud.core.compute import actions, block_devices, hosts, servers
from minicloud.core.context import administrator
from minicloud.core.volume import backends, messages, migrations, retypes, types, volumes
from minicloud.core.volume.attachments import Place
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction

_POLL_S = 0.05
_TRIES = 3


class MigrateVolume(Saga):
    """The volume was taken in the transaction that began this. ``host``: where to (None: anywhere); ``type_id``: the type that it gets.

    ``source`` and ``target`` are ``machine@backend#pool``; ``acts`` are the records of this among the actions of servers.
    """

    volume_id: str
    host: str | None = None
    type_id: str | None = None
    source: str | None = None
    target: str | None = None
    place: Place | None = None
    acts: list[int] = []

    @property
    def about(self) -> str:
        return self.volume_id

    @classmethod
    def steps(cls) -> Steps["MigrateVolume"]:
        return [
            Step("claim", record=claim, unrecord=give_back),
            Step("make", act=ensure_blank, undo=ensure_no_target),
            Step("copy", act=ensure_moved, undo=ensure_moved_back),
            Step("switch", record=switch),
            Step("remove", act=ensure_no_source, final=True),
            Step("publish", act=ensure_throttled, record=publish),
        ]


def under_way(tx: Transaction, volume_id: str) -> bool:
    """Whether a migration of the volume has not come to its end yet, also one that was ended by other work on the volume."""
    return any(
        row.kind == MigrateVolume.__name__ and row.state not in log.ENDED for row in log.of_resource(tx, volume_id)
    )


async def ensure_ended(world: World, server_id: str) -> None:
    """No volume of the server is being moved any more: only its machine knows which file it wrote to last."""
    told: list[str] = []
    while moving := await world.database.read(lambda tx: _moving(tx, server_id)):
        if moving != told:
            trace.note("migrations_awaited", server=server_id, volumes=moving)
            told = moving
        await anyio.sleep(_POLL_S)


def _moving(tx: Transaction, server_id: str) -> list[str]:
    ids = [device.volume_id for device in block_devices.of_server(tx, server_id) if device.volume_id is not None]
    return [
        volume_id
        for volume_id in ids
        if any(
            row.kind == MigrateVolume.__name__ and row.state not in (*log.ENDED, "stuck")
            for row in log.of_resource(tx, volume_id)
        )
    ]


def claim(tx: Transaction, saga: MigrateVolume, world: World) -> None:
    """Choose the backend, and see that the server which has the volume does nothing else."""
    users = users_of(tx, saga.volume_id)
    now = volumes.existing(tx, saga.volume_id).host
    if now is None or backends.member(now) in world.servicegroup.down:
        raise Conflict(f"The storage backend {now}, on which volume {saga.volume_id} is, is down", kind="down")
    for server_id, host in users:
        server = servers.living(tx, server_id)
        if server.task_state is not None:
            raise Conflict(f"Server {server_id} is in task_state {server.task_state}", kind="task")
        if hosts.member(host) in world.servicegroup.down:
            raise Conflict(f"Host {host}, where server {server_id} has the volume, is down", kind="down")
    volume, found = migrations.begin(
        tx,
        saga.volume_id,
        saga.host,
        saga.type_id,
        is_up=lambda name: backends.member(name) not in world.servicegroup.down,
        served={device.server_id for device in block_devices.of_volume(tx, saga.volume_id)},
    )
    saga.source, saga.target = volume.host, found.pool_host
    for server_id, host in users:
        action = actions.begin(tx, administrator(trace.request_id()), server_id, "swap_volume")
        actions.begin_event(tx, action.id, "compute_swap_volume", host)
        saga.acts.append(action.id)


async def ensure_blank(saga: MigrateVolume, world: World) -> None:
    """A blank file of the volume's size lies on the target, whatever an earlier try left there."""
    volume, shared = await world.database.read(lambda tx: _volume(tx, saga))
    assert saga.target is not None
    await ask(world, saga.target, volume_calls.EnsureNoVolume(volume_id=volume.id))
    blank = volume_calls.EnsureVolume(volume_id=volume.id, size_gb=volume.size, shared=shared)
    await ask(world, saga.target, blank)


async def ensure_no_target(saga: MigrateVolume, world: World) -> None:
    """Nothing of it lies on the target."""
    if saga.target is not None:
        await ask(world, saga.target, volume_calls.EnsureNoVolume(volume_id=saga.volume_id))


async def ensure_moved(saga: MigrateVolume, world: World) -> None:
    """The target's file holds what the volume holds, and a guest that runs has no other any more."""
    assert saga.source is not None
    assert saga.target is not None
    locate = volume_calls.LocateVolume(volume_id=saga.volume_id)
    before, after = await ask(world, saga.source, locate), await ask(world, saga.target, locate)
    saga.place = Place(path=after.path, format=after.format)
    for _ in range(_TRIES):
        try:
            if await _led(saga, world, after):
                return
            volume, shared = await world.database.read(lambda tx: _volume(tx, saga))
            await _import(world, saga.target, volume, before, shared=shared)
            await _note(saga, world, after)
        except Conflict as error:
            # Its guest ended while it was led, or was started by its own reboot: what is so now is looked at anew.
            trace.note("volume_not_led", volume=saga.volume_id, why=error.message)
        else:
            return
    raise Failed(f"The guest that has volume {saga.volume_id} was stopped or started each time that it was to be moved")


async def ensure_moved_back(saga: MigrateVolume, world: World) -> None:
    """Whoever has the volume has the source's file, with all that was written to it."""
    if saga.source is None or saga.target is None:
        return
    locate = volume_calls.LocateVolume(volume_id=saga.volume_id)
    before = await ask(world, saga.source, locate)
    if await _led(saga, world, before):
        return
    try:
        after = await ask(world, saga.target, locate)
    except NotFound:
        return
    if await _led(saga, world, after):
        # Its machine is off and would go on with the target's file, to which it may have written.
        volume = await world.database.read(lambda tx: volumes.existing(tx, saga.volume_id))
        await _import(world, saga.source, volume, after, shared=volume.multiattach)
        await _note(saga, world, before)


async def _led(saga: MigrateVolume, world: World, file: VolumeFile) -> bool:
    """Whether a machine has the volume in this file, led there if it runs. Raises Conflict when it ended meanwhile."""
    for server_id, host in await world.database.read(lambda tx: users_of(tx, saga.volume_id)):
        message = calls.EnsureDiskMoved(server_id=server_id, disk_id=saga.volume_id, path=file.path, format=file.format)
        try:
            if await world.agents.ask(host, message, timeout_s=COPY_S):
                return True
        except NotFound as error:
            trace.note("no_disk_to_move", server=server_id, host=host, why=error.message)
    return False


async def _note(saga: MigrateVolume, world: World, file: VolumeFile) -> None:
    """The host of a machine that is off knows where the volume was copied to. Raises Conflict when it was started meanwhile."""
    for server_id, host in await world.database.read(lambda tx: users_of(tx, saga.volume_id)):
        message = calls.EnsureDiskMoved(
            server_id=server_id, disk_id=saga.volume_id, path=file.path, format=file.format, copied=True
        )
        try:
            await world.agents.ask(host, message)
        except NotFound as error:
            trace.note("no_disk_to_move", server=server_id, host=host, why=error.message)


async def _import(world: World, backend: str, volume: Volume, source: VolumeFile, *, shared: bool) -> None:
    message = volume_calls.EnsureImported(
        volume_id=volume.id, size_gb=volume.size, path=source.path, format=source.format, shared=shared
    )
    await ask(world, backend, message, timeout_s=COPY_S)


def switch(tx: Transaction, saga: MigrateVolume, world: World) -> None:
    """The record says where the volume is now, and what type it has."""
    assert saga.target is not None
    assert saga.place is not None
    volume = migrations.switch(tx, saga.volume_id, saga.target, saga.place)
    if saga.type_id is not None:
        retypes.set_type(tx, volume, types.named(tx, saga.type_id))
        apply_qos.record(tx, ApplyQos(volume_ids=[volume.id]), world)


async def ensure_no_source(saga: MigrateVolume, world: World) -> None:
    """The old file is gone, once nobody makes a volume of it any more."""
    source = saga.source
    assert source is not None
    told: list[str] = []
    while making := await world.database.read(lambda tx: migrations.clones_under_way(tx, saga.volume_id, source)):
        if making != told:
            trace.note("clones_awaited", volume=saga.volume_id, clones=making)
            told = making
        await anyio.sleep(_POLL_S)
    await ask(world, source, volume_calls.EnsureNoVolume(volume_id=saga.volume_id))


async def ensure_throttled(saga: MigrateVolume, world: World) -> None:
    """A guest is held to the limits of the volume's new type."""
    if saga.type_id is not None:
        await apply_qos.ensure_throttled(ApplyQos(volume_ids=[saga.volume_id]), world)


def publish(tx: Transaction, saga: MigrateVolume, world: World) -> None:
    """The volume is what its users make of it."""
    migrations.end(tx, saga.volume_id, migrations.SUCCESS)
    for action_id in saga.acts:
        actions.finish(tx, action_id, host=None)


def give_back(tx: Transaction, saga: MigrateVolume, world: World) -> None:
    """The volume is what it was, and says that it could not be moved; its users are told."""
    # A retype for which there is no backend never came to be a migration.
    unplaced = saga.type_id is not None and saga.target is None
    volume = migrations.end(tx, saga.volume_id, None if unplaced else migrations.ERROR)
    if volume is not None:
        tell(tx, saga, volume.project_id, messages.VOLUME, volume.id, ALLOCATE)
    for action_id in saga.acts:
        why = None if saga.failed is None else saga.failed.message
        actions.finish(tx, action_id, host=None, error=why or "the volume was not moved")


def _volume(tx: Transaction, saga: MigrateVolume) -> tuple[Volume, bool]:
    """The volume, and whether several servers shall be able to have it."""
    volume = volumes.existing(tx, saga.volume_id)
    return volume, volume.multiattach if saga.type_id is None else types.named(tx, saga.type_id).multiattach
