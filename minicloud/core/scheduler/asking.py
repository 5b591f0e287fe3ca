"""A server as what the scheduler is asked; and how a choice is claimed and given back, with the seat on its host."""

from collections.abc import Sequence

from minicloud.core import records
from minicloud.core.compute.servers import Server
from minicloud.core.compute.topology import wanted_topology
from minicloud.core.network.rows import Network, Port
from minicloud.core.placement import allocations
from minicloud.core.scheduler import occupancy
from minicloud.core.scheduler.occupancy import ServerFit
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.core.scheduler.pci import Asked, asked_devices, port_device
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.select import HostChoice
from minicloud.engines.database import Transaction

DIRECT = ("direct", "macvtap")
"""Kinds of ports that are a virtual function of a network card."""


def request_of(tx: Transaction, server: Server, options: SchedulerOptions, *, ignored: Sequence[str]) -> RequestSpec:
    """What the scheduler is asked for a server. Raises Invalid, Forbidden for a topology or devices that make no sense."""
    flavor, image = server.flavor, server.image_properties
    devices = asked_devices(flavor.extra_specs, image.properties, options.pci_alias)
    return RequestSpec(
        server_id=server.id,
        project_id=server.project_id,
        user_id=server.user_id,
        flavor_id=flavor.id,
        flavor_name=flavor.name,
        vcpus=flavor.vcpus,
        memory_mb=flavor.memory_mb,
        root_gb=0 if server.on_volume else flavor.disk,
        ephemeral_gb=flavor.ephemeral,
        swap_mb=flavor.swap,
        extra_specs=flavor.extra_specs,
        image_properties=image.properties,
        image_id=server.image_id,
        image_format=image.format,
        availability_zone=server.requested_zone,
        force_host=server.requested_host if server.forced else None,
        force_node=server.requested_node if server.forced else None,
        requested_host=None if server.forced else server.requested_host,
        requested_node=None if server.forced else server.requested_node,
        ignored_hosts=list(ignored),
        hints=server.scheduler_hints,
        topology=wanted_topology(flavor.vcpus, flavor.memory_mb, flavor.extra_specs, image.properties),
        devices=(*devices, *_of_ports(tx, server)),
    )


def claim(tx: Transaction, server: Server, choice: HostChoice) -> None:
    """The server has what it needs of the host, and its seat there. Raises Conflict where somebody was quicker."""
    allocations.claim(tx, server.id, server.project_id, server.user_id, choice.allocations)
    if choice.seat is not None:
        occupancy.sit(
            tx,
            ServerFit(server_id=server.id, host=choice.host, cells=choice.seat.cells, devices=choice.seat.devices),
        )


def free(tx: Transaction, server_id: str) -> None:
    """The server has nothing of any host any more."""
    allocations.free(tx, server_id)
    occupancy.leave(tx, server_id)


def _of_ports(tx: Transaction, server: Server) -> list[Asked]:
    """The devices that the ports of a request stand for."""
    wanted = [one.port_id for one in server.requested_networks or [] if one.port_id is not None]
    if not wanted:
        return []
    direct = [port for port in records.select_in(tx, Port, "id", wanted) if port.vnic_type in DIRECT]
    networks = {one.id: one for one in records.select_in(tx, Network, "id", {port.network_id for port in direct})}
    return [port_device(networks[port.network_id].physical_network or "") for port in direct]
