"""Hold guests' disks to the QoS specs of their volumes' types as these are now, while the guests run."""

from minicloud.agent import calls
from minicloud.base import trace
from minicloud.base.errors import NotFound
from minicloud.conductor.compute.volume_disks import throttle
from minicloud.conductor.step import Saga, Step, Steps
from minicloud.conductor.world import World
from minicloud.core import records
from minicloud.core.compute import block_devices, hosts, servers
from minicloud.core.volume import attachments, qos_specs, volumes
from minicloud.engines.database import Transaction


class ApplyQos(Saga):
    """``volume_ids`` are volumes that somebody may have."""

    volume_ids: list[str]

    @property
    def about(self) -> str:
        return self.volume_ids[0] if self.volume_ids else "qos"

    @classmethod
    def steps(cls) -> Steps["ApplyQos"]:
        return [Step("record", record=record, final=True), Step("tell", act=ensure_throttled)]


def record(tx: Transaction, saga: ApplyQos, world: World) -> None:
    """Whoever connects again is told of the new limits."""
    for volume in volumes.find_many(tx, saga.volume_ids).values():
        specs = qos_specs.of_guest(tx, volume)
        for attachment in attachments.of_volume(tx, volume.id):
            if attachment.connection_info:
                data = {**attachment.connection_info.get("data", {}), "qos_specs": specs}
                records.change(tx, attachment, connection_info={**attachment.connection_info, "data": data})


async def ensure_throttled(saga: ApplyQos, world: World) -> None:
    """Guests that run are held to the new limits; one that does not, or whose host is down, when it is started again."""
    for server_id, host, disk_id, limits in await world.database.read(lambda tx: _guests(tx, saga)):
        if not await world.servicegroup.is_up(hosts.member(host)):
            trace.note("disk_not_throttled", server=server_id, volume=disk_id, why=f"host {host} is down")
            continue
        message = calls.EnsureDiskThrottle(server_id=server_id, disk_id=disk_id, throttle=limits)
        try:
            await world.agents.ask(host, message)
            trace.note("disk_throttled", server=server_id, volume=disk_id)
        except NotFound as error:
            trace.note("disk_not_throttled", server=server_id, volume=disk_id, why=error.message)


def _guests(tx: Transaction, saga: ApplyQos) -> list[tuple[str, str, str, calls.Throttle | None]]:
    found = []
    for volume in volumes.find_many(tx, saga.volume_ids).values():
        limits = throttle(qos_specs.of_guest(tx, volume))
        for device in block_devices.of_volume(tx, volume.id):
            server = servers.find(tx, device.server_id)
            if server is not None and not server.deleted and server.host is not None:
                found.append((server.id, server.host, volume.id, limits))
    return found
