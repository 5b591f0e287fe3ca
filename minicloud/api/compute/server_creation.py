"""Asking for servers (POST /servers): the body with everything that may be said, and how it becomes a request of core."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import UUID, Body, LongText
from minicloud.api.call import Call, Reply
from minicloud.api.compute import block_device_mappings, scheduler_hints, server_views
from minicloud.api.compute.block_device_mappings import Device, OldDevice
from minicloud.api.compute.words import (
    Described,
    Hostname,
    Named,
    Tag,
    Truth,
    check_address,
    check_base64,
    check_hostname,
    truth,
)
from minicloud.api.microversions import Beside, NotNull, Pausing, RequiredSince, Since, Until
from minicloud.api.routes import Post
from minicloud.base.errors import Invalid, NotOffered
from minicloud.base.ids import is_uuid
from minicloud.conductor.compute.create_server import CreateServer
from minicloud.conductor.compute.create_volumed_server import CreateVolumedServer
from minicloud.core.compute import block_devices, requests, servers
from minicloud.core.compute.requests import ServerRequest
from minicloud.core.compute.server_files import GivenFile
from minicloud.core.compute.servers import RequestedNetwork, Server
from minicloud.core.policy import ADMIN, PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:servers"

MetadataValue = Annotated[str, msgspec.Meta(max_length=255)]
MetadataKey = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class NetworkRequest(Body):
    """A network or a port to plug in."""

    uuid: str | UnsetType = UNSET
    port: UUID | None = None
    fixed_ip: str | UnsetType = UNSET
    tag: Annotated[Tag | None, Since("2.32"), Pausing("2.37", "2.41"), NotNull()] = None


class Personality(Body):
    """A file for the guest, its contents in base64."""

    path: str
    contents: str


class SecurityGroupName(Body):
    """A security group by name or id."""

    name: Named


class ServerCreate(Body, wrap="server"):
    """The body of POST /servers."""

    name: Named
    flavor_ref: str | int = msgspec.field(name="flavorRef")
    image_ref: str = msgspec.field(name="imageRef", default="")
    networks: Annotated[list[NetworkRequest] | Literal["auto", "none"] | UnsetType, RequiredSince("2.37")] = UNSET
    admin_pass: Annotated[str | None, NotNull()] = msgspec.field(name="adminPass", default=None)
    metadata: dict[MetadataKey, MetadataValue] = {}
    disk_config: Literal["AUTO", "MANUAL"] = msgspec.field(name="OS-DCF:diskConfig", default="MANUAL")
    access_ip_v4: Annotated[str | None, NotNull()] = msgspec.field(name="accessIPv4", default=None)
    access_ip_v6: Annotated[str | None, NotNull()] = msgspec.field(name="accessIPv6", default=None)
    personality: Annotated[list[Personality], Until("2.56")] = []
    availability_zone: Annotated[Named | None, NotNull()] = None
    block_device_mapping: list[OldDevice] = []
    block_device_mapping_v2: list[Device] = []
    config_drive: Annotated[bool | Truth | None, NotNull()] = None
    min_count: Annotated[int, msgspec.Meta(ge=1)] = 1
    max_count: Annotated[Annotated[int, msgspec.Meta(ge=1)] | None, NotNull()] = None
    return_reservation_id: bool | Truth = False
    security_groups: list[SecurityGroupName] = []
    user_data: Annotated[LongText | None, NotNull()] = None
    key_name: Annotated[Named | None, NotNull()] = None
    description: Annotated[Described | None, Since("2.19")] = None
    tags: Annotated[Annotated[list[Tag], msgspec.Meta(max_length=50)], Since("2.52")] = []
    trusted_image_certificates: Annotated[list[str] | None, Since("2.63")] = None
    host: Annotated[Hostname | None, Since("2.74"), NotNull()] = None
    hypervisor_hostname: Annotated[Hostname | None, Since("2.74"), NotNull()] = None
    hostname: Annotated[Hostname | None, Since("2.90"), NotNull()] = None
    hints: Annotated[dict[str, Any], Beside()] = msgspec.field(name="os:scheduler_hints", default_factory=dict)
    old_hints: Annotated[dict[str, Any], Beside()] = msgspec.field(
        name="OS-SCH-HNT:scheduler_hints", default_factory=dict
    )


async def create(call: Call, body: ServerCreate) -> Any:
    """Promise servers and begin to build them."""
    request = _request(call, body)

    def work(tx: Transaction) -> list[Server]:
        promised = requests.ask(tx, call.context, request)
        for server, action_id in promised:
            kind = CreateVolumedServer if block_devices.has_volumes(tx, server.id) else CreateServer
            call.begin(tx, kind(server_id=server.id, action_id=action_id))
        return [server for server, _ in promised]

    first = (await call.write(work))[0]
    if truth("return_reservation_id", body.return_reservation_id):
        return {"reservation_id": first.reservation_id}
    document: dict[str, Any] = {
        "id": first.id,
        "links": server_views.links(call, first.id),
        "OS-DCF:diskConfig": first.disk_config,
        "security_groups": [{"name": group.name} for group in body.security_groups] or [{"name": "default"}],
        "adminPass": request.admin_password,
    }
    return Reply({"server": document}, headers={"Location": call.url(f"/servers/{first.id}")})


def _request(call: Call, body: ServerCreate) -> ServerRequest:
    """The body as what core understands, with the permissions that parts of it need."""
    _check_form(call, body)
    if body.name != body.name.strip() and not body.name.strip():
        raise Invalid(f"Invalid input for field/attribute name. Value: {body.name}. '{body.name}' is not allowed")
    if body.trusted_image_certificates:
        call.enforce(f"{POLICY}:create:trusted_certs")
        raise NotOffered("Trusted image certificates are not offered by this cloud")
    image_ref = body.image_ref
    devices = block_device_mappings.read(call, image_ref, body.block_device_mapping, body.block_device_mapping_v2)
    zone, host, node = _place(call, body)
    chosen: list[RequestedNetwork] | Literal["auto", "none"] | None = None
    if isinstance(body.networks, list):
        chosen = [_network(call, n) for n in body.networks]
    elif body.networks is not UNSET:
        if not call.at_least("2.37"):
            raise Invalid(
                f"Invalid input for field/attribute networks. Value: {body.networks}. It is not of type 'array'"
            )
        chosen = body.networks
    if chosen and chosen != "none":
        call.enforce(f"{POLICY}:create:attach_network")
    return ServerRequest(
        name=body.name.strip(),
        flavor_ref=str(body.flavor_ref).rpartition("/")[2],
        image_id=image_ref or None,
        devices=devices,
        multiattach=call.at_least("2.60"),
        zero_disk=call.allows(f"{POLICY}:create:zero_disk_flavor"),
        external_networks=call.allows("network:attach_external_network"),
        networks=chosen,
        security_groups=list(dict.fromkeys(group.name for group in body.security_groups)),
        key_name=body.key_name,
        user_data=body.user_data,
        files=[GivenFile(one.path, one.contents) for one in body.personality],
        config_drive=body.config_drive is not None and truth("config_drive", body.config_drive),
        metadata=body.metadata,
        tags=list(dict.fromkeys(body.tags)),
        # Before 2.19 Nova kept the name as description.
        description=body.description if call.at_least("2.19") else body.name.strip(),
        hostname=body.hostname,
        zone=zone,
        host=host,
        node=node,
        forced=":" in (body.availability_zone or ""),
        hints=body.hints or body.old_hints,
        access_ip_v4=check_address(body.access_ip_v4, "accessIPv4"),
        access_ip_v6=check_address(body.access_ip_v6, "accessIPv6"),
        disk_config=body.disk_config,
        admin_password=body.admin_pass or servers.new_password(),
        min_count=body.min_count,
        disks=call.world.options.disks,
        max_count=body.max_count if body.max_count is not None else body.min_count,
    )


def _check_form(call: Call, body: ServerCreate) -> None:
    """What Nova's schema refuses beyond the kinds of values, before anything is looked at. Raises Invalid."""
    if body.flavor_ref == "":
        raise Invalid("Invalid input for field/attribute flavorRef. Value: . '' should be non-empty", field="flavorRef")
    if body.image_ref and not is_uuid(body.image_ref):
        raise Invalid(
            f"Invalid input for field/attribute imageRef. Value: {body.image_ref}. {body.image_ref!r} is not a 'uuid'",
            field="imageRef",
        )
    for network in body.networks if isinstance(body.networks, list) else []:
        if network.uuid is not UNSET and not is_uuid(network.uuid) and call.at_least("2.37"):
            raise Invalid(
                f"Invalid input for field/attribute uuid. Value: {network.uuid}. {network.uuid!r} is not a 'uuid'",
                field="uuid",
            )
        if network.fixed_ip is not UNSET:
            check_address(network.fixed_ip, "fixed_ip")
    check_address(body.access_ip_v4, "accessIPv4")
    check_address(body.access_ip_v6, "accessIPv6")
    if body.user_data is not None:
        check_base64("user_data", body.user_data)
    for one in body.personality:
        check_base64("contents", one.contents)
    check_hostname(call, body.hostname)
    scheduler_hints.check(body.hints, body.old_hints)


def _network(call: Call, wanted: NetworkRequest) -> RequestedNetwork:
    if wanted.uuid is not UNSET and not is_uuid(wanted.uuid) and wanted.port is None:
        raise Invalid(f"Bad networks format: network uuid is not in proper format ({wanted.uuid})")
    if wanted.port is None and wanted.uuid is UNSET:
        raise Invalid("Bad networks format: network uuid is not in proper format (None)")
    fixed_ip = None if wanted.fixed_ip is UNSET else wanted.fixed_ip
    if wanted.port is not None and fixed_ip is not None:
        raise Invalid(
            f"Specified Fixed IP '{fixed_ip}' cannot be used with port '{wanted.port}': the two cannot be specified together."
        )
    return RequestedNetwork(
        network_id=None if wanted.uuid is UNSET or wanted.port is not None else wanted.uuid,
        port_id=wanted.port,
        fixed_ip=fixed_ip,
        tag=wanted.tag,
    )


def _place(call: Call, body: ServerCreate) -> tuple[str | None, str | None, str | None]:
    """Zone, host and node; ``zone:host:node`` and the fields of 2.74 are an administrator's."""
    zone, _, rest = (body.availability_zone or "").partition(":")
    host, _, node = rest.partition(":")
    if ":" in node:
        raise Invalid("Invalid input received: Unable to parse availability_zone")
    if host or node:
        call.enforce(f"{POLICY}:create:forced_host")
    if body.host or body.hypervisor_hostname:
        call.enforce("compute:servers:create:requested_destination")
        if host or node:
            raise Invalid(
                "One mechanism with host and/or hypervisor_hostname and another mechanism with zone:host:node are mutually "
                "exclusive."
            )
        host, node = body.host or "", body.hypervisor_hostname or ""
    return zone or None, host or None, node or None


EXTRA = (
    (f"{POLICY}:create:attach_network", PROJECT_MEMBER_OR_ADMIN),
    (f"{POLICY}:create:attach_volume", PROJECT_MEMBER_OR_ADMIN),
    (f"{POLICY}:create:forced_host", ADMIN),
    (f"{POLICY}:create:trusted_certs", PROJECT_MEMBER_OR_ADMIN),
    ("compute:servers:create:requested_destination", ADMIN),
    (f"{POLICY}:create:zero_disk_flavor", ADMIN),
    ("network:attach_external_network", ADMIN),
    (f"{POLICY}:show:host_status", ADMIN),
    (f"{POLICY}:show:host_status:unknown-only", ADMIN),
    (f"{POLICY}:show:flavor-extra-specs", PROJECT_READER_OR_ADMIN),
    ("os_compute_api:os-extended-server-attributes", ADMIN),
)


routes = [
    Post("/servers", create, policy=f"{POLICY}:create", allow=PROJECT_MEMBER_OR_ADMIN, status=202, extra=EXTRA),
]  # fmt: skip
