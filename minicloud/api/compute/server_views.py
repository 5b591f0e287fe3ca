"""A server as each microversion shows it."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.microversions import Since
from minicloud.core.compute.block_devices import BlockDevice
from minicloud.core.compute.servers import Fault, Server
from minicloud.core.network.ports import ServerAddress

PROGRESSING = frozenset({"ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"})
FAULTY = frozenset({"ERROR", "DELETED"})


class ServerView(Body, wrap="server", rename=None):
    """The detailed document of a server. What is UNSET is left out."""

    id: str
    name: str
    status: str
    tenant_id: str
    user_id: str
    metadata: dict[str, str]
    hostId: str
    image: Any
    flavor: dict[str, Any]
    created: str
    updated: str
    addresses: dict[str, list[dict[str, Any]]]
    accessIPv4: str
    accessIPv6: str
    links: list[dict[str, str]]
    disk_config: str = msgspec.field(name="OS-DCF:diskConfig")
    zone: str = msgspec.field(name="OS-EXT-AZ:availability_zone")
    config_drive: str
    key_name: str | None
    launched_at: str | None = msgspec.field(name="OS-SRV-USG:launched_at")
    terminated_at: str | None = msgspec.field(name="OS-SRV-USG:terminated_at")
    task_state: str | None = msgspec.field(name="OS-EXT-STS:task_state")
    vm_state: str = msgspec.field(name="OS-EXT-STS:vm_state")
    power_state: int = msgspec.field(name="OS-EXT-STS:power_state")
    volumes: list[dict[str, Any]] = msgspec.field(name="os-extended-volumes:volumes_attached")
    security_groups: list[dict[str, str]] | UnsetType = UNSET
    fault: dict[str, Any] | UnsetType = UNSET
    progress: int | UnsetType = UNSET
    host: str | UnsetType | None = msgspec.field(name="OS-EXT-SRV-ATTR:host", default=UNSET)
    node: str | UnsetType | None = msgspec.field(name="OS-EXT-SRV-ATTR:hypervisor_hostname", default=UNSET)
    instance_name: str | UnsetType = msgspec.field(name="OS-EXT-SRV-ATTR:instance_name", default=UNSET)
    hostname: Annotated[str | UnsetType, Since("2.3")] = msgspec.field(name="OS-EXT-SRV-ATTR:hostname", default=UNSET)
    kernel_id: Annotated[str | UnsetType, Since("2.3")] = msgspec.field(name="OS-EXT-SRV-ATTR:kernel_id", default=UNSET)
    launch_index: Annotated[int | UnsetType, Since("2.3")] = msgspec.field(
        name="OS-EXT-SRV-ATTR:launch_index", default=UNSET
    )
    ramdisk_id: Annotated[str | UnsetType, Since("2.3")] = msgspec.field(
        name="OS-EXT-SRV-ATTR:ramdisk_id", default=UNSET
    )
    reservation_id: Annotated[str | UnsetType, Since("2.3")] = msgspec.field(
        name="OS-EXT-SRV-ATTR:reservation_id", default=UNSET
    )
    root_device_name: Annotated[str | UnsetType | None, Since("2.3")] = msgspec.field(
        name="OS-EXT-SRV-ATTR:root_device_name", default=UNSET
    )
    user_data: Annotated[str | UnsetType | None, Since("2.3")] = msgspec.field(
        name="OS-EXT-SRV-ATTR:user_data", default=UNSET
    )
    locked: Annotated[bool, Since("2.9")] = False
    host_status: Annotated[str | UnsetType, Since("2.16")] = UNSET
    description: Annotated[str | None, Since("2.19")] = None
    tags: Annotated[list[str], Since("2.26")] = []
    trusted_image_certificates: Annotated[list[str] | None, Since("2.63")] = None
    server_groups: Annotated[list[str] | UnsetType, Since("2.71")] = UNSET
    locked_reason: Annotated[str | None, Since("2.73")] = None
    pinned_availability_zone: Annotated[str | None, Since("2.96")] = None
    scheduler_hints: Annotated[dict[str, Any], Since("2.100")] = {}


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What a server's document says that stands elsewhere: addresses by network, what may be told of the states of hosts,
    and, where one server was asked for, its group."""

    addresses: dict[str, dict[str, list[ServerAddress]]]
    security_groups: dict[str, list[str]]
    host_status: Mapping[str, str]
    volumes: dict[str, list[BlockDevice]] = {}
    group: str | None = None


def links(call: Call, server_id: str) -> list[dict[str, str]]:
    """Where a server is found, with and without the version."""
    return [
        {"rel": "self", "href": call.url(f"/servers/{server_id}")},
        {"rel": "bookmark", "href": f"{call.base_url}/servers/{server_id}"},
    ]


def instance_name(server: Server) -> str:
    """How a hypervisor calls a server."""
    return f"instance-{server.id[:8]}"


def brief(call: Call, server: Server) -> dict[str, Any]:
    """A server in a plain listing."""
    return {"id": server.id, "name": server.name, "links": links(call, server.id)}


def detailed(call: Call, servers: Sequence[Server], around: Surroundings, *, alone: bool = False) -> list[ServerView]:
    """Servers with all that the caller may see of them; ``alone`` when it is one server that was asked for by id."""
    extended = call.allows("os_compute_api:os-extended-server-attributes")
    extra_specs = call.allows("os_compute_api:servers:show:flavor-extra-specs")
    at = _Versions(
        volumes_tell=call.at_least("2.3"),
        flavor_inside=call.at_least("2.47"),
        image_properties=call.at_least("2.98"),
        hostname_for_all=call.at_least("2.90"),
    )
    return [_view(call, server, around, at, extended, extra_specs, alone) for server in servers]


NOT_AFTER_A_CHANGE = (
    "zone", "config_drive", "key_name", "launched_at", "terminated_at", "task_state", "vm_state", "power_state", "volumes",
    "security_groups", "host", "node", "instance_name", "hostname", "kernel_id", "launch_index", "ramdisk_id",
    "reservation_id", "root_device_name", "user_data", "host_status",
)  # fmt: skip
"""What answers to changes left out before 2.75."""


def as_changed(call: Call, view: ServerView) -> ServerView:
    """The view as the answer to a change shows it: before 2.75 without what extensions once added."""
    if call.at_least("2.75"):
        return view
    for name in NOT_AFTER_A_CHANGE:
        setattr(view, name, UNSET)
    view.addresses = {
        network: [{"version": place["version"], "addr": place["addr"]} for place in places]
        for network, places in view.addresses.items()
    }
    return view


class _Versions(msgspec.Struct, frozen=True, kw_only=True):
    volumes_tell: bool
    flavor_inside: bool
    image_properties: bool
    hostname_for_all: bool


def _view(
    call: Call,
    server: Server,
    around: Surroundings,
    at: _Versions,
    extended: bool,
    extra_specs: bool,
    alone: bool,
) -> ServerView:
    status = server.status
    view = ServerView(
        id=server.id,
        name=server.name,
        status=status,
        tenant_id=server.project_id,
        user_id=server.user_id,
        metadata=server.metadata,
        hostId=host_id(server),
        image=_image(call, server, at),
        flavor=_flavor(call, server, at, extra_specs),
        created=_second(server.created_at),
        updated=_second(server.updated_at),
        addresses=_addresses(around.addresses.get(server.id, {})),
        accessIPv4=server.access_ip_v4 or "",
        accessIPv6=server.access_ip_v6 or "",
        links=links(call, server.id),
        disk_config=server.disk_config,
        zone=server.zone or server.requested_zone or "",
        config_drive="True" if server.config_drive else "",
        key_name=server.key_name,
        launched_at=server.launched_at,
        terminated_at=server.terminated_at,
        task_state=server.task_state,
        vm_state=server.vm_state,
        power_state=server.power_state,
        volumes=_volumes(around.volumes.get(server.id, []), at),
        locked=server.locked,
        description=server.description,
        tags=server.tags,
        locked_reason=server.locked_reason,
        pinned_availability_zone=server.requested_zone,
        scheduler_hints=server.scheduler_hints,
    )
    groups = around.security_groups.get(server.id)
    if groups:
        view.security_groups = [{"name": name} for name in groups]
    if status in FAULTY and server.fault is not None:
        view.fault = _fault(call, server.fault)
    if status in PROGRESSING:
        view.progress = server.progress if status != "BUILD" else 0
    if alone:
        view.server_groups = [] if around.group is None else [around.group]
    if extended or at.hostname_for_all:
        view.hostname = server.hostname
    if extended:
        view.host = server.host
        view.node = server.node
        view.instance_name = instance_name(server)
        view.kernel_id = server.image_properties.properties.get("kernel_id", "")
        view.launch_index = server.launch_index
        view.ramdisk_id = server.image_properties.properties.get("ramdisk_id", "")
        view.reservation_id = server.reservation_id
        view.root_device_name = server.root_device_name
        view.user_data = server.user_data
    told = around.host_status.get(server.host or "")
    if told is not None:
        view.host_status = told
    return view


def _addresses(by_network: dict[str, list[ServerAddress]]) -> dict[str, list[dict[str, Any]]]:
    return {
        network: [
            {
                "version": place.version,
                "addr": place.address,
                "OS-EXT-IPS:type": place.kind,
                "OS-EXT-IPS-MAC:mac_addr": place.mac,
            }
            for place in places
        ]
        for network, places in by_network.items()
    }


def host_id(server: Server) -> str:
    """The host of a server, unrecognisable."""
    return "" if server.host is None else host_id_of(server.project_id, server.host)


def host_id_of(project_id: str, host: str) -> str:
    """A host, unrecognisable and different for each project: Nova's own recipe, sha224 of project and host."""
    return hashlib.sha224(f"{project_id}{host}".encode()).hexdigest()


def _second(stamp: str) -> str:
    return f"{stamp[:19]}Z"


def _fault(call: Call, fault: Fault) -> dict[str, Any]:
    document = {"code": fault.code, "created": _second(fault.created), "message": fault.message}
    if fault.details is not None and call.context.is_admin:
        document["details"] = fault.details
    return document


def _volumes(devices: list[BlockDevice], at: _Versions) -> list[dict[str, Any]]:
    if not at.volumes_tell:
        return [{"id": device.volume_id} for device in devices]
    return [{"id": d.volume_id, "delete_on_termination": d.delete_on_termination} for d in devices]


def _image(call: Call, server: Server, at: _Versions) -> Any:
    if server.image_id is None:
        return ""
    link = {"rel": "bookmark", "href": f"{call.base_url}/images/{server.image_id}"}
    document: dict[str, Any] = {"id": server.image_id, "links": [link]}
    if at.image_properties:
        document["properties"] = server.image_properties.properties
    return document


def _flavor(call: Call, server: Server, at: _Versions, extra_specs: bool) -> dict[str, Any]:
    flavor = server.flavor
    if not at.flavor_inside:
        link = {"rel": "bookmark", "href": f"{call.base_url}/flavors/{flavor.id}"}
        return {"id": flavor.id, "links": [link]}
    document: dict[str, Any] = {
        "vcpus": flavor.vcpus,
        "ram": flavor.memory_mb,
        "disk": flavor.disk,
        "ephemeral": flavor.ephemeral,
        "swap": flavor.swap,
        "original_name": flavor.name,
    }
    if extra_specs:
        document["extra_specs"] = flavor.extra_specs
    return document
