"""Where a server's guest finds the devices that its owner called something, asked of its host."""

from minicloud.agent import calls
from minicloud.base import trace
from minicloud.base.errors import CloudError
from minicloud.conductor.world import World
from minicloud.core.compute import hosts, lifecycle
from minicloud.core.compute.metadata import Guest, Place

PATIENCE_S = 5.0
"""A guest waits for its metadata no longer than this because of addresses."""


async def of_guest(world: World, guest: Guest) -> dict[str, Place]:
    """Places by port and by volume; nothing where no device has a tag, and where the host does not say."""
    server = guest.server
    if not guest.has_tags or server.host is None or server.power_state != lifecycle.RUNNING:
        return {}
    if not await world.servicegroup.is_up(hosts.member(server.host)):
        return {}
    try:
        found = await world.agents.ask(server.host, calls.DeviceAddresses(server_id=server.id), timeout_s=PATIENCE_S)
    except CloudError as error:
        trace.note("device_addresses_unknown", server=server.id, why=error.message)
        return {}
    return {device_id: Place(one.bus, one.address or "none") for device_id, one in found.items()}
