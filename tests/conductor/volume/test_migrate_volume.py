"""Migrating a volume that nobody has, one of a guest that runs, and one of a machine that is off: it keeps the contract of sagas."""

from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest

from minicloud.conductor import log
from minicloud.conductor.compute.attach_volume import AttachVolume
from minicloud.conductor.compute.create_server import CreateServer
from minicloud.conductor.compute.stop_server import StopServer
from minicloud.conductor.executor import Executor
from minicloud.conductor.volume.create_volume import CreateVolume, CreateVolumeAnywhere
from minicloud.conductor.volume.migrate_volume import MigrateVolume
from minicloud.core import records
from minicloud.core.volume import migrations, retypes, types
from minicloud.core.volume.attachments import VolumeAttachment
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction
from tests.support.attachment_stories import VolumedStory
from tests.support.datacenters import OWNER, Datacenter, a_datacenter
from tests.support.saga_contract import check_contract
from tests.support.server_stories import as_it_was, look
from tests.support.volume_stories import only_volume, promise_volume
from tests.support.worlds import Outside

pytestmark = pytest.mark.anyio
USUAL, SLOW = "control@fake#fake", "control@slow#slow"
PATHS = {USUAL: "/simulated/volumes/volumes/", SLOW: "/simulated/volumes-slow/volumes/"}


class Migrated(msgspec.Struct, frozen=True, kw_only=True):
    """Where a volume is, by all who could tell: its record, its attachment, the machine that has it, the backends."""

    server: Any
    host: str | None
    status: str
    migration: str | None
    told: list[str]
    opened: list[str]
    stored: dict[str, int]
    kind: str | None
    open_sagas: list[str]


class Migration(VolumedStory):
    """``given`` nothing, a running or a stopped server; with a server, that has the volume."""

    given = "nothing"
    backends = ("slow",)

    async def outside(self, stack: AsyncExitStack) -> Outside:
        if self._snapshot is None:
            async with AsyncExitStack() as first:
                self._snapshot = (await self._prepared(first)).snapshot()
        return await a_datacenter(stack, hosts=1, like=self._snapshot, backends=self.backends)

    async def _prepared(self, stack: AsyncExitStack) -> Datacenter:
        center = await a_datacenter(stack, hosts=1, backends=self.backends)
        kinds = [CreateServer, StopServer, CreateVolume, CreateVolumeAnywhere, AttachVolume]
        async with Executor(center.world(), kinds) as executor:
            await self.prepare(executor)
            await executor.idle()
            await executor.world.database.write(lambda tx: promise_volume(tx, executor))
            await executor.idle()
            if self.given != "nothing":
                await executor.world.database.write(lambda tx: self.attach(tx, executor))
                await executor.idle()
        return center

    async def begin(self, executor: Executor) -> str:
        def work(tx: Transaction) -> str:
            volume = migrations.take(tx, only_volume(tx), SLOW, is_up=True, lock=True)
            return executor.begin(tx, MigrateVolume(volume_id=volume.id, host=SLOW))

        return await executor.world.database.write(work)

    async def picture(self, outside: Outside) -> Migrated:
        assert isinstance(outside, Datacenter)
        return await outside.database.read(lambda tx: _look(tx, outside))

    def is_finished(self, before: Migrated, after: Migrated) -> bool:
        return (
            (after.host, after.migration, after.status) == (SLOW, "success", before.status)
            and after.stored == {USUAL: 0, SLOW: 1}
            and after.told == after.opened == [PATHS[SLOW]] * len(before.opened)
            and self._server_is_well(before, after)
        )

    def is_clean(self, before: Migrated, after: Migrated) -> bool:
        return (
            (after.host, after.migration, after.status) == (USUAL, "error", before.status)
            and after.stored == {USUAL: 1, SLOW: 0}
            and after.told == after.opened == before.opened
            and after.kind == before.kind
            and self._server_is_well(before, after)
        )

    def _server_is_well(self, before: Migrated, after: Migrated) -> bool:
        assert before.opened == ([] if self.given == "nothing" else [PATHS[USUAL]])
        return not after.open_sagas and as_it_was(before.server, after.server)


def _look(tx: Transaction, center: Datacenter) -> Migrated:
    volume = only_volume(tx)
    machines = [msgspec.to_builtins(row) for row in center.log.rows("machines", "host-1").values()]
    return Migrated(
        server=look(tx, center),
        host=volume.host,
        status=volume.status,
        migration=volume.migration_status,
        told=[_folder((a.connection_info or {})["data"]["device_path"]) for a in records.select(tx, VolumeAttachment)],
        opened=[_folder(d["path"]) for m in machines for d in m["machine"]["disks"] if d.get("serial")],
        stored={host: len(center.log.rows("volumes", _store(host))) for host in (USUAL, SLOW)},
        kind=volume.volume_type_id,
        open_sagas=[row.kind for row in log.unfinished(tx)],
    )


def _store(host: str) -> str:
    return {USUAL: "volumes", SLOW: "volumes-slow"}[host]


def _folder(path: str) -> str:
    return path.rpartition("/")[0] + "/"


class Running(Migration):
    given = "running"


class Stopped(Migration):
    given = "stopped"


class Retyped(Running):
    """On the way it gets the type that it moves for."""

    async def begin(self, executor: Executor) -> str:
        def work(tx: Transaction) -> str:
            specs = {"volume_backend_name": "slow"}
            kind = types.create(tx, OWNER, name="lazy", description=None, is_public=True, specs=specs)
            volume = retypes.retype(tx, only_volume(tx), kind, migrate=True)
            assert (volume.status, volume.migration_status) == ("retyping", "starting")
            return executor.begin(tx, MigrateVolume(volume_id=volume.id, type_id=kind.id))

        return await executor.world.database.write(work)

    def is_finished(self, before: Migrated, after: Migrated) -> bool:
        return super().is_finished(before, after) and after.kind != before.kind

    def is_clean(self, before: Migrated, after: Migrated) -> bool:
        # One that never got as far as to have a backend was never migrated.
        started = msgspec.structs.replace(after, migration=after.migration or "error")
        return super().is_clean(before, started)


@pytest.mark.parametrize("story", [Migration, Running, Stopped], ids=lambda story: story.__name__)
async def test_it_keeps_the_contract(story: type[Migration]) -> None:
    assert await check_contract(story(), MigrateVolume, deaths=100, pairs=50) > 100


async def test_on_the_way_to_another_type_it_keeps_it_too() -> None:
    assert await check_contract(Retyped(), MigrateVolume, deaths=40, pairs=20, troubles=8) > 50


async def test_who_takes_a_volume_that_is_not_locked_ends_its_migration() -> None:
    async with AsyncExitStack() as stack:
        story = Migration()
        outside = await story.outside(stack)
        async with Executor(outside.world(), [MigrateVolume, AttachVolume]) as executor:

            def work(tx: Transaction) -> str:
                volume = migrations.take(tx, only_volume(tx), SLOW, is_up=True, lock=False)
                saga = executor.begin(tx, MigrateVolume(volume_id=volume.id, host=SLOW))
                records.change(tx, records.get(tx, Volume, volume.id), status="reserved", migration_status="error")
                return saga

            await executor.world.database.write(work)
            await executor.idle()
        after = await story.picture(outside)
        assert (after.host, after.status, after.migration) == (USUAL, "reserved", "error")
        assert (after.stored, after.open_sagas) == ({USUAL: 1, SLOW: 0}, [])
