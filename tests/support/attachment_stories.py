"""Stories of sagas about a server and a volume: who has it, what its status is, which disks the machine has."""

from contextlib import AsyncExitStack
from typing import Any

import msgspec

from minicloud.conductor.compute.attach_volume import AttachVolume
from minicloud.conductor.compute.create_server import CreateServer
from minicloud.conductor.compute.stop_server import StopServer
from minicloud.conductor.executor import Executor
from minicloud.conductor.volume.create_volume import CreateVolume
from minicloud.core import records
from minicloud.core.compute import volume_attachments
from minicloud.core.compute.block_devices import BlockDevice
from minicloud.core.volume.attachments import VolumeAttachment
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction
from tests.support.datacenters import OWNER, Datacenter, a_datacenter, only_server
from tests.support.server_stories import Picture, ServerStory, look
from tests.support.volume_stories import only_volume, promise_volume
from tests.support.worlds import Outside


class VolumedPicture(msgspec.Struct, frozen=True, kw_only=True):
    """A server's picture, and everything about its volume."""

    server: Picture
    volumes: list[tuple[str, str]]
    devices: list[tuple[str | None, bool]]
    attachments: list[tuple[str, str | None]]
    disks: list[list[str]]
    stored: int


class VolumedStory(ServerStory):
    """``given`` a server (running or stopped), and a volume; ``attached``: which the server has."""

    given = "running"
    attached = False
    delete_on_termination = False
    hosts = 1

    async def _prepared(self, stack: AsyncExitStack) -> Datacenter:
        center = await a_datacenter(stack, hosts=self.hosts)
        kinds = [CreateServer, StopServer, CreateVolume, AttachVolume]
        async with Executor(center.world(), kinds) as executor:
            await self.prepare(executor)
            await executor.idle()
            await executor.world.database.write(lambda tx: promise_volume(tx, executor))
            await executor.idle()
            if self.attached:
                await executor.world.database.write(lambda tx: self.attach(tx, executor))
                await executor.idle()
        return center

    def attach(self, tx: Transaction, executor: Executor) -> str:
        """Promise that the server gets the volume, as the API does."""
        server, action_id, _ = volume_attachments.attach(
            tx, OWNER, only_server(tx).id, only_volume(tx).id, delete_on_termination=self.delete_on_termination
        )
        return executor.begin(tx, AttachVolume(server_id=server.id, action_id=action_id, volume_id=only_volume(tx).id))

    async def picture(self, outside: Outside) -> Any:
        assert isinstance(outside, Datacenter)
        return await outside.database.read(lambda tx: look_at_both(tx, outside))


def look_at_both(tx: Transaction, center: Datacenter) -> VolumedPicture:
    """The picture of this moment."""
    machines = [row for host in center.agents for row in center.log.rows("machines", host).values()]
    return VolumedPicture(
        server=look(tx, center),
        volumes=[(v.status, v.attach_status) for v in records.select(tx, Volume)],
        devices=[(d.device_name, d.delete_on_termination) for d in records.select(tx, BlockDevice)],
        attachments=[(a.attach_status, a.mountpoint) for a in records.select(tx, VolumeAttachment)],
        disks=[_serials(row) for row in machines],
        stored=len(center.stored()["volumes"]),
    )


def _serials(row: Any) -> list[str]:
    disks = msgspec.to_builtins(row)["machine"]["disks"]
    return ["volume" if disk.get("serial") else disk["id"] for disk in disks]
