"""Servers: create, list, show, update, delete, and the plain actions on them (``/servers``)."""

import ipaddress
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import UUID, Body, LongText, Name
from minicloud.api.call import Call, Reply
from minicloud.api.compute import server_views
from minicloud.api.compute.server_views import Surroundings
from minicloud.api.listing import Listing, equal, truth
from minicloud.api.microversions import Beside, RequiredSince, Since, Until
from minicloud.api.routes import Action, Delete, Get, Post, Put
from minicloud.base.clock import stamp
from minicloud.base.errors import Conflict, Invalid, NotOffered
from minicloud.conductor.compute import consoles
from minicloud.conductor.compute.create_server import CreateServer
from minicloud.conductor.compute.delete_server import DeleteServer
from minicloud.conductor.compute.reboot_server import RebootServer
from minicloud.conductor.compute.start_server import StartServer
from minicloud.conductor.compute.stop_server import StopServer
from minicloud.core import records
from minicloud.core.compute import lifecycle, requests, servers
from minicloud.core.compute.requests import ServerRequest
from minicloud.core.compute.servers import RequestedNetwork, Server
from minicloud.core.network import ports
from minicloud.core.policy import ADMIN, PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import AllOf, AnyOf, Condition, Transaction

POLICY = "os_compute_api:servers"
MetadataValue = Annotated[str, msgspec.Meta(max_length=255)]
MetadataKey = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
TrimmedName = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Hostname = Annotated[
    str, msgspec.Meta(min_length=2, max_length=255, pattern=r"^[a-zA-Z0-9]+[a-zA-Z0-9\-.]*[a-zA-Z0-9]+$")
]


class NetworkRequest(Body):
    """A network or a port to plug in."""

    uuid: UUID | UnsetType = UNSET
    port: UUID | None = None
    fixed_ip: str | UnsetType = UNSET
    tag: Annotated[Tag | None, Since("2.32")] = None


class SecurityGroupName(Body, open=True):
    """A security group by name or id."""

    name: Name


class BlockDevice(Body, open=True):
    """A disk of the server; at first only the image's own root disk is on offer."""

    source_type: Literal["image", "volume", "snapshot", "blank"] = "image"
    destination_type: Literal["local", "volume"] = "local"
    boot_index: int | None = None
    uuid: str | None = None
    delete_on_termination: bool = False


class ServerCreate(Body, wrap="server"):
    """The body of POST /servers."""

    name: TrimmedName
    flavor_ref: str | int = msgspec.field(name="flavorRef")
    image_ref: str = msgspec.field(name="imageRef", default="")
    networks: Annotated[list[NetworkRequest] | Literal["auto", "none"] | UnsetType, RequiredSince("2.37")] = UNSET
    admin_pass: str | None = msgspec.field(name="adminPass", default=None)
    metadata: dict[MetadataKey, MetadataValue] = {}
    disk_config: Literal["AUTO", "MANUAL"] = msgspec.field(name="OS-DCF:diskConfig", default="MANUAL")
    access_ip_v4: str | None = msgspec.field(name="accessIPv4", default=None)
    access_ip_v6: str | None = msgspec.field(name="accessIPv6", default=None)
    personality: Annotated[list[Any], Until("2.56")] = []
    availability_zone: Name | None = None
    block_device_mapping: list[Any] = []
    block_device_mapping_v2: list[BlockDevice] = []
    config_drive: bool | None = None
    min_count: Annotated[int, msgspec.Meta(ge=1)] = 1
    max_count: Annotated[int, msgspec.Meta(ge=1)] | None = None
    return_reservation_id: bool = False
    security_groups: list[SecurityGroupName] = []
    user_data: LongText | None = None
    key_name: Name | None = None
    description: Annotated[Annotated[str, msgspec.Meta(max_length=255)] | None, Since("2.19")] = None
    tags: Annotated[Annotated[list[Tag], msgspec.Meta(max_length=50)], Since("2.52")] = []
    trusted_image_certificates: Annotated[list[str] | None, Since("2.63")] = None
    host: Annotated[Name | None, Since("2.74")] = None
    hypervisor_hostname: Annotated[Name | None, Since("2.74")] = None
    hostname: Annotated[Hostname | None, Since("2.90")] = None
    hints: Annotated[dict[str, Any], Beside()] = msgspec.field(name="os:scheduler_hints", default_factory=dict)
    old_hints: Annotated[dict[str, Any], Beside()] = msgspec.field(
        name="OS-SCH-HNT:scheduler_hints", default_factory=dict
    )


class ServerUpdate(Body, wrap="server"):
    """The body of PUT /servers/{id}."""

    name: TrimmedName | UnsetType = UNSET
    access_ip_v4: str | UnsetType = msgspec.field(name="accessIPv4", default=UNSET)
    access_ip_v6: str | UnsetType = msgspec.field(name="accessIPv6", default=UNSET)
    disk_config: Literal["AUTO", "MANUAL"] | UnsetType = msgspec.field(name="OS-DCF:diskConfig", default=UNSET)
    description: Annotated[str | UnsetType | None, Since("2.19")] = UNSET
    hostname: Annotated[Hostname | UnsetType, Since("2.90")] = UNSET


class Reboot(Body):
    """The body of the action reboot."""

    type: str


SERVERS = Listing(
    name="servers",
    sort=[("created_at", True), ("id", True)],
    sort_keys={
        "created_at": "created_at",
        "updated_at": "updated_at",
        "display_name": "name",
        "display_description": "description",
        "uuid": "id",
        "host": "host",
        "node": "node",
        "vm_state": "vm_state",
        "task_state": "task_state",
        "power_state": "power_state",
        "key_name": "key_name",
        "availability_zone": "zone",
        "launched_at": "launched_at",
        "terminated_at": "terminated_at",
        "project_id": "project_id",
        "user_id": "user_id",
        "image_ref": "image_id",
        "launch_index": "launch_index",
        "locked": "locked",
        "hostname": "hostname",
        "access_ip_v4": "access_ip_v4",
        "access_ip_v6": "access_ip_v6",
        "config_drive": "config_drive",
        "progress": "progress",
        "instance_type_id": "id",
        "root_device_name": "id",
        "ramdisk_id": "id",
        "kernel_id": "id",
    },
    filters={
        "name": lambda text: [Condition("name", "matches", text)],
        "image": equal("image_id"),
        "reservation_id": equal("reservation_id"),
        "hostname": equal("hostname"),
        "key_name": equal("key_name"),
        "user_id": equal("user_id"),
        "uuid": equal("id"),
        "vm_state": equal("vm_state"),
        "task_state": equal("task_state"),
        "access_ip_v4": equal("access_ip_v4"),
        "access_ip_v6": equal("access_ip_v6"),
        "description": equal("description"),
        "locked": lambda text: [Condition("locked", "=", truth(text))],
        "changes-since": lambda text: [Condition("updated_at", ">=", _moment(text))],
        "changes-before": lambda text: [Condition("updated_at", "<=", _moment(text))],
    },
)
ONLY_ADMIN = {
    "host": "host",
    "node": "node",
    "project_id": "project_id",
    "tenant_id": "project_id",
    "availability_zone": "zone",
}


def _moment(text: str) -> str:
    """A client's time as a stamp; without a zone it means UTC."""
    from datetime import UTC, datetime

    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00").replace(" ", "+"))
    except ValueError as error:
        raise Invalid(
            f"Invalid input for query parameters changes-since. Value: {text}. '{text}' is not a 'date-time'"
        ) from error
    return stamp(at if at.tzinfo else at.replace(tzinfo=UTC))


async def create(call: Call, body: ServerCreate) -> Any:
    """Promise servers and begin to build them."""
    request = _request(call, body)

    def work(tx: Transaction) -> list[Server]:
        promised = requests.ask(tx, call.context, request)
        for server, action_id in promised:
            call.begin(tx, CreateServer(server_id=server.id, action_id=action_id))
        return [server for server, _ in promised]

    first = (await call.write(work))[0]
    if body.return_reservation_id:
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
    if body.name != body.name.strip() and not body.name.strip():
        raise Invalid(f"Invalid input for field/attribute name. Value: {body.name}. '{body.name}' is not allowed")
    if body.personality:
        raise NotOffered("Personality files are not offered by this cloud: use user_data")
    if body.trusted_image_certificates:
        call.enforce(f"{POLICY}:create:trusted_certs")
        raise NotOffered("Trusted image certificates are not offered by this cloud")
    image_ref = _root_image(body)
    zone, host, node = _place(call, body)
    chosen: list[RequestedNetwork] | Literal["auto", "none"] | None = None
    if isinstance(body.networks, list):
        chosen = [_network(n) for n in body.networks]
    elif body.networks is not UNSET:
        chosen = body.networks
    if chosen and chosen != "none":
        call.enforce(f"{POLICY}:create:attach_network")
    for text, name in ((body.access_ip_v4, "accessIPv4"), (body.access_ip_v6, "accessIPv6")):
        _check_address(text, name)
    return ServerRequest(
        name=body.name.strip(),
        flavor_ref=str(body.flavor_ref).rpartition("/")[2],
        image_id=image_ref,
        networks=chosen,
        security_groups=[group.name for group in body.security_groups],
        key_name=body.key_name,
        user_data=body.user_data,
        config_drive=bool(body.config_drive),
        metadata=body.metadata,
        tags=body.tags,
        # Before 2.19 Nova kept the name as description.
        description=body.description if call.at_least("2.19") else body.name.strip(),
        hostname=body.hostname,
        zone=zone,
        host=host,
        node=node,
        hints=body.hints or body.old_hints,
        access_ip_v4=body.access_ip_v4,
        access_ip_v6=body.access_ip_v6,
        disk_config=body.disk_config,
        admin_password=body.admin_pass or servers.new_password(),
        min_count=body.min_count,
        max_count=body.max_count if body.max_count is not None else body.min_count,
    )


def _root_image(body: ServerCreate) -> str | None:
    if body.block_device_mapping:
        raise NotOffered("Volumes are not offered by this cloud yet: boot from an image")
    roots = [d for d in body.block_device_mapping_v2 if d.boot_index == 0]
    others = [d for d in body.block_device_mapping_v2 if d.boot_index != 0]
    if others or any(d.source_type != "image" or d.destination_type != "local" for d in roots):
        raise NotOffered("Volumes are not offered by this cloud yet: boot from an image")
    return body.image_ref.rpartition("/")[2] or (roots[0].uuid if roots else None)


def _network(wanted: NetworkRequest) -> RequestedNetwork:
    if wanted.port is None and wanted.uuid is UNSET:
        raise Invalid("Bad networks format: network uuid is not in proper format (None)")
    fixed_ip = None if wanted.fixed_ip is UNSET else wanted.fixed_ip
    if fixed_ip is not None:
        _check_address(fixed_ip, "fixed_ip")
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


def _check_address(text: str | None, field: str) -> None:
    if text:
        try:
            ipaddress.ip_address(text)
        except ValueError as error:
            raise Invalid(
                f"Invalid input for field/attribute {field}. Value: {text}. '{text}' is not a valid address"
            ) from error


def _place(call: Call, body: ServerCreate) -> tuple[str | None, str | None, str | None]:
    """Zone, host and node; ``zone:host:node`` and the fields of 2.74 are an administrator's."""
    zone, _, rest = (body.availability_zone or "").partition(":")
    host, _, node = rest.partition(":")
    if host or node:
        call.enforce(f"{POLICY}:create:forced_host")
    if body.host or body.hypervisor_hostname:
        call.enforce("compute:servers:create:requested_destination")
        if host or node:
            raise Invalid("An unknown combination of availability_zone, host and hypervisor_hostname was asked for")
        host, node = body.host or "", body.hypervisor_hostname or ""
    return zone or None, host or None, node or None


async def index(call: Call) -> Any:
    """Servers, briefly."""
    found, more = await _list(call)
    last = found[-1].id if found else None
    return call.page.document([server_views.brief(call, server) for server in found], more=more, last_id=last)


async def detail(call: Call) -> Any:
    """Servers with all their attributes."""
    found, more = await _list(call)
    around = await _around(call, found)
    last = found[-1].id if found else None
    return call.page.document(server_views.detailed(call, found, around), more=more, last_id=last)


async def _list(call: Call) -> tuple[list[Server], bool]:
    page = call.page
    where, query = page.query.where, page.query
    everybody = truth(call.parameter("all_tenants") or "0") if call.parameter("all_tenants") != "" else True
    if everybody:
        call.enforce(f"{POLICY}:{'detail' if call.route.path.endswith('detail') else 'index'}:get_all_tenants")
    else:
        where.append(Condition("project_id", "=", call.context.project_id))
    if call.context.is_admin:
        for name, column in ONLY_ADMIN.items():
            value = call.parameter(name)
            if value is not None and (everybody or column != "project_id"):
                where.append(Condition(column, "=", value))
    deleted = truth(call.parameter("deleted") or "0") if call.context.is_admin else False
    if call.parameter("changes-since") is None or call.parameter("deleted") is not None:
        where.append(Condition("deleted", "=", deleted))
    flavor = call.parameter("flavor")
    if flavor is not None:
        where.append(Condition("flavor", "like", f'%"id":"{flavor.replace("%", "").replace("_", chr(92) + "_")}"%'))
    wanted = [value for name, value in call.parameters if name == "status"]
    if wanted:
        where.append(AnyOf([AllOf(group) for status in wanted for group in _status_groups(call, status)]))
    address = call.parameter("ip") or call.parameter("ip6")

    def work(tx: Transaction) -> list[Server]:
        if address is not None:
            where.append(Condition("id", "in", ports.servers_at(tx, address)))
        return records.page(tx, Server, query)

    return page.cut(await call.read(work))


def _status_groups(call: Call, status: str) -> list[list[Condition]]:
    groups = []
    for vm_state, tasks, not_tasks in lifecycle.states_of(status.upper()):
        group = [Condition("vm_state", "=", vm_state)]
        if tasks is not None:
            group.append(Condition("task_state", "in", sorted(tasks)))
            groups.append(group)
        elif not_tasks:
            groups += [
                [*group, Condition("task_state", "is null")],
                [*group, Condition("task_state", "not in", sorted(not_tasks))],
            ]
        else:
            groups.append(group)
    if not groups and call.at_least("2.38"):
        raise Invalid(f"Invalid status: {status}")
    return groups


async def _around(call: Call, found: list[Server]) -> Surroundings:
    ids = [server.id for server in found]
    down = frozenset(m.partition("@")[2] for m in call.world.servicegroup.down)

    def work(tx: Transaction) -> Surroundings:
        return Surroundings(addresses=ports.addresses_of(tx, ids), security_groups=ports.groups_of(tx, ids), down=down)

    return await call.read(work)


async def show(call: Call, server_id: str) -> Any:
    """One server."""
    server = await call.read(lambda tx: servers.get(tx, call.context, server_id))
    return server_views.detailed(call, [server], await _around(call, [server]), alone=True)[0]


async def update(call: Call, server_id: str, body: ServerUpdate) -> Any:
    """Change what a server is called and described as."""
    changes = {
        column: value
        for column, value in (
            ("name", body.name.strip() if isinstance(body.name, str) else UNSET),
            ("access_ip_v4", body.access_ip_v4 or None if body.access_ip_v4 is not UNSET else UNSET),
            ("access_ip_v6", body.access_ip_v6 or None if body.access_ip_v6 is not UNSET else UNSET),
            ("disk_config", body.disk_config),
            ("description", body.description),
            ("hostname", body.hostname),
        )
        if value is not UNSET
    }
    for name in ("access_ip_v4", "access_ip_v6"):
        _check_address(changes.get(name), name.replace("access_ip_v", "accessIPv"))

    def work(tx: Transaction) -> Server:
        server = servers.get(tx, call.context, server_id)
        return records.change(tx, server, **changes, updated_at=tx.now) if changes else server

    server = await call.write(work)
    return server_views.detailed(call, [server], await _around(call, [server]), alone=True)[0]


async def delete(call: Call, server_id: str) -> None:
    """Delete a server; one that is being deleted already needs nothing more."""

    def work(tx: Transaction) -> None:
        server = servers.get(tx, call.context, server_id)
        if server.task_state == "deleting":
            return
        server, action_id = servers.take(tx, call.context, server_id, "delete")
        call.begin(tx, DeleteServer(server_id=server.id, action_id=action_id, claimed="deleting"))

    await call.write(work)


async def start(call: Call, server_id: str) -> None:
    """Power on."""

    def work(tx: Transaction) -> None:
        server, action_id = servers.take(tx, call.context, server_id, "start")
        call.begin(tx, StartServer(server_id=server.id, action_id=action_id, claimed=server.task_state or ""))

    await call.write(work)


async def stop(call: Call, server_id: str) -> None:
    """Power off."""

    def work(tx: Transaction) -> None:
        server, action_id = servers.take(tx, call.context, server_id, "stop")
        call.begin(tx, StopServer(server_id=server.id, action_id=action_id, claimed=server.task_state or ""))

    await call.write(work)


async def reboot(call: Call, server_id: str, body: Reboot) -> None:
    """Start the guest anew."""
    kind = body.type.upper()
    if kind not in ("SOFT", "HARD"):
        raise Invalid(
            f"Invalid input for field/attribute type. Value: {body.type}. '{body.type}' is not one of ['HARD', 'Hard', 'hard', 'SOFT', 'Soft', 'soft']"
        )
    name, word = ("reboot_soft", "SOFT") if kind == "SOFT" else ("reboot_hard", "HARD")

    def work(tx: Transaction) -> None:
        server, action_id = servers.take(tx, call.context, server_id, name)
        claimed = server.task_state or ""
        call.begin(
            tx,
            RebootServer(
                server_id=server.id, action_id=action_id, claimed=claimed, kind="SOFT" if word == "SOFT" else "HARD"
            ),
        )

    await call.write(work)


class ConsoleOutput(Body):
    """The body of os-getConsoleOutput: the last lines, or all there is."""

    length: Annotated[int, msgspec.Meta(ge=-1)] | str | None = None


async def console_output(call: Call, server_id: str, body: ConsoleOutput) -> Any:
    """The last lines of the serial console."""
    server = await call.read(lambda tx: servers.get(tx, call.context, server_id))
    if server.host is None:
        raise Conflict(f"Instance {server_id} is not ready")
    text = await consoles.output(call.world, server.host, server.id)
    lines = _lines(body.length)
    kept = text.split("\n")
    if lines is not None:
        kept = kept[-lines - 1 :] if text.endswith("\n") else kept[-lines:] if lines else []
    return {"output": "\n".join(kept)}


def _lines(length: int | str | None) -> int | None:
    if isinstance(length, str):
        if not length.lstrip("-").isdigit():
            raise Invalid(
                f"Invalid input for field/attribute length. Value: {length}. '{length}' does not match '^-?[0-9]+$'"
            )
        length = int(length)
    return None if length is None or length < 0 else length


EXTRA = (
    (f"{POLICY}:create:attach_network", PROJECT_MEMBER_OR_ADMIN),
    (f"{POLICY}:create:forced_host", ADMIN),
    (f"{POLICY}:create:trusted_certs", PROJECT_MEMBER_OR_ADMIN),
    ("compute:servers:create:requested_destination", ADMIN),
    (f"{POLICY}:show:host_status", ADMIN),
    (f"{POLICY}:show:flavor-extra-specs", PROJECT_READER_OR_ADMIN),
    ("os_compute_api:os-extended-server-attributes", ADMIN),
)

routes = [
    Post("/servers", create, policy=f"{POLICY}:create", allow=PROJECT_MEMBER_OR_ADMIN, status=202, extra=EXTRA),
    Get("/servers", index, policy=f"{POLICY}:index", allow=PROJECT_READER_OR_ADMIN, listing=SERVERS, extra=[(f"{POLICY}:index:get_all_tenants", ADMIN)]),
    Get("/servers/detail", detail, policy=f"{POLICY}:detail", allow=PROJECT_READER_OR_ADMIN, listing=SERVERS, extra=[(f"{POLICY}:detail:get_all_tenants", ADMIN)]),
    Get("/servers/{server_id}", show, policy=f"{POLICY}:show", allow=PROJECT_READER_OR_ADMIN),
    Put("/servers/{server_id}", update, policy=f"{POLICY}:update", allow=PROJECT_MEMBER_OR_ADMIN),
    Delete("/servers/{server_id}", delete, policy=f"{POLICY}:delete", allow=PROJECT_MEMBER_OR_ADMIN),
    Action("os-start", start, policy=f"{POLICY}:start", allow=PROJECT_MEMBER_OR_ADMIN),
    Action("os-stop", stop, policy=f"{POLICY}:stop", allow=PROJECT_MEMBER_OR_ADMIN),
    Action("reboot", reboot, policy=f"{POLICY}:reboot", allow=PROJECT_MEMBER_OR_ADMIN),
    Action("os-getConsoleOutput", console_output, policy="os_compute_api:os-console-output", allow=PROJECT_MEMBER_OR_ADMIN, status=200),
]  # fmt: skip
