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
from minicloud.core.compute.servers import Fault, Server, ServerFlavor, ServerImage
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
    return _links(*_places(call), server_id)


def _places(call: Call) -> tuple[str, str]:
    """What addresses of servers begin with, with and without the version."""
    return call.url("/servers/"), f"{call.base_url}/servers/"


def _links(here: str, bookmark: str, server_id: str) -> list[dict[str, str]]:
    return [{"rel": "self", "href": here + server_id}, {"rel": "bookmark", "href": bookmark + server_id}]


def instance_name(server: Server) -> str:
    """How a hypervisor calls a server."""
    return f"instance-{server.id[:8]}"


def brief(call: Call, server: Server) -> dict[str, Any]:
    """A server in a plain listing."""
    return {"id": server.id, "name": server.name, "links": links(call, server.id)}


def detailed(call: Call, servers: Sequence[Server], around: Surroundings, *, alone: bool = False) -> list[ServerView]:
    """Servers with all that the caller may see of them; ``alone`` when it is one server that was asked for by id."""
    drawer = _Drawer(call, around, alone)
    return [drawer.view(server) for server in servers]


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


class _Drawer:
    """Draws the servers of one answer. What many of them have in common is put together once."""

    def __init__(self, call: Call, around: Surroundings, alone: bool) -> None:
        self._call = call
        self._around = around
        self._alone = alone
        self._extended = call.allows("os_compute_api:os-extended-server-attributes")
        self._hostname = self._extended or call.at_least("2.90")
        self._extra_specs = call.allows("os_compute_api:servers:show:flavor-extra-specs")
        self._volumes_tell = call.at_least("2.3")
        self._flavor_inside = call.at_least("2.47")
        self._image_properties = call.at_least("2.98")
        self._hosts: dict[tuple[str, str | None], str] = {}
        self._images: dict[str, dict[str, Any]] = {}
        self._flavors: dict[int, dict[str, Any]] = {}
        self._at = _places(call)

    def view(self, server: Server) -> ServerView:
        """A server's document."""
        around = self._around
        status = server.status
        at = (server.project_id, server.host)
        if (hidden := self._hosts.get(at)) is None:
            hidden = self._hosts[at] = host_id(server)
        if (flavor := self._flavors.get(id(server.flavor))) is None:
            flavor = self._flavors[id(server.flavor)] = self._flavor(server.flavor)
        server_id = server.id
        addresses = around.addresses.get(server_id)
        groups = around.security_groups.get(server_id)
        devices = around.volumes.get(server_id)
        extended = self._extended
        image = server.image_properties
        view = ServerView(
            id=server_id,
            name=server.name,
            status=status,
            tenant_id=server.project_id,
            user_id=server.user_id,
            metadata=server.metadata,
            hostId=hidden,
            image="" if server.image_id is None else self._image(server.image_id, image),
            flavor=flavor,
            created=_second(server.created_at),
            updated=_second(server.updated_at),
            addresses=_addresses(addresses) if addresses else {},
            accessIPv4=server.access_ip_v4 or "",
            accessIPv6=server.access_ip_v6 or "",
            links=_links(*self._at, server_id),
            disk_config=server.disk_config,
            zone=server.zone or server.requested_zone or "",
            config_drive="True" if server.config_drive else "",
            key_name=server.key_name,
            launched_at=server.launched_at,
            terminated_at=server.terminated_at,
            task_state=server.task_state,
            vm_state=server.vm_state,
            power_state=server.power_state,
            volumes=self._volumes(devices) if devices else [],
            security_groups=[{"name": name} for name in groups] if groups else UNSET,
            progress=(server.progress if status != "BUILD" else 0) if status in PROGRESSING else UNSET,
            host=server.host if extended else UNSET,
            node=server.node if extended else UNSET,
            instance_name=instance_name(server) if extended else UNSET,
            hostname=server.hostname if self._hostname else UNSET,
            kernel_id=image.properties.get("kernel_id", "") if extended else UNSET,
            launch_index=server.launch_index if extended else UNSET,
            ramdisk_id=image.properties.get("ramdisk_id", "") if extended else UNSET,
            reservation_id=server.reservation_id if extended else UNSET,
            root_device_name=image.root_device_name if extended else UNSET,
            user_data=server.user_data if extended else UNSET,
            locked=server.locked,
            host_status=around.host_status.get(server.host or "", UNSET),
            description=server.description,
            tags=server.tags,
            locked_reason=server.locked_reason,
            pinned_availability_zone=server.requested_zone,
            scheduler_hints=server.scheduler_hints,
        )
        if status in FAULTY and server.fault is not None:
            view.fault = _fault(self._call, server.fault)
        if self._alone:
            view.server_groups = [] if around.group is None else [around.group]
        return view

    def _volumes(self, devices: list[BlockDevice]) -> list[dict[str, Any]]:
        if not self._volumes_tell:
            return [{"id": device.volume_id} for device in devices]
        return [{"id": d.volume_id, "delete_on_termination": d.delete_on_termination} for d in devices]

    def _image(self, image_id: str, image: ServerImage) -> dict[str, Any]:
        if (document := self._images.get(image_id)) is None:
            link = {"rel": "bookmark", "href": f"{self._call.base_url}/images/{image_id}"}
            document = self._images[image_id] = {"id": image_id, "links": [link]}
        # An image may have had other properties when another server was made.
        return {**document, "properties": image.properties} if self._image_properties else document

    def _flavor(self, flavor: ServerFlavor) -> dict[str, Any]:
        if not self._flavor_inside:
            link = {"rel": "bookmark", "href": f"{self._call.base_url}/flavors/{flavor.id}"}
            return {"id": flavor.id, "links": [link]}
        document: dict[str, Any] = {
            "vcpus": flavor.vcpus,
            "ram": flavor.memory_mb,
            "disk": flavor.disk,
            "ephemeral": flavor.ephemeral,
            "swap": flavor.swap,
            "original_name": flavor.name,
        }
        if self._extra_specs:
            document["extra_specs"] = flavor.extra_specs
        return document


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
