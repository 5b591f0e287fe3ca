"""Servers: their record, how one is asked for, found, taken for an action, and how an action on it ends."""

import base64
import binascii
import re
import secrets
from typing import Any, ClassVar

import msgspec

from minicloud.base import trace
from minicloud.base.errors import CloudError, Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.compute import actions, lifecycle
from minicloud.core.context import Context, administrator
from minicloud.core.volume import migrations
from minicloud.engines.database import Transaction


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Why a server is in ERROR; ``details`` are for administrators."""

    code: int
    message: str
    created: str
    details: str | None = None


class ServerFlavor(msgspec.Struct, frozen=True, kw_only=True):
    """The flavor as it was when the server was made. Memory and swap in MiB, disks in GiB."""

    id: str
    name: str
    vcpus: int
    memory_mb: int
    disk: int
    ephemeral: int = 0
    swap: int = 0
    extra_specs: dict[str, str] = {}


class ServerImage(msgspec.Struct, frozen=True, kw_only=True):
    """The image as it was when the server was made: where its bytes are, its properties, and what the guest calls its first disk.

    ``root_device_name`` stays last, where filters of servers find it.
    """

    blob: str = ""
    checksum: str = ""
    format: str = "qcow2"
    size: int = 0
    kernel: "ServerImage | None" = None
    ramdisk: "ServerImage | None" = None
    properties: dict[str, str] = {}
    root_device_name: str = "/dev/vda"


class RequestedNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """A network or port that a server was asked to have."""

    network_id: str | None = None
    port_id: str | None = None
    fixed_ip: str | None = None
    tag: str | None = None


class Server(records.Record, kw_only=True):
    """A server. States are Nova's; ``host`` is set once it is placed; ``zone`` is the host's while there is one.

    ``nic_tags`` are what its owner called its cards, by port.

    ``vcpus``, ``memory_mb`` and ``disk_gb`` repeat the flavor's, so that quotas add them up in an index.
    """

    TABLE = "servers"
    MISSING: ClassVar[str] = "Instance {id} could not be found."

    id: str
    project_id: str
    user_id: str
    name: str
    hostname: str
    description: str | None = None
    image_id: str | None = None
    image_properties: ServerImage
    flavor: ServerFlavor
    vcpus: int = 0
    memory_mb: int = 0
    disk_gb: int = 0
    key_name: str | None = None
    key_type: str | None = None
    public_key: str | None = None
    user_data: str | None = None
    config_drive: bool = False
    metadata: dict[str, str] = {}
    tags: list[str] = []
    security_groups: list[str] = []
    requested_networks: list[RequestedNetwork] | None = None
    nic_tags: dict[str, str] = {}
    scheduler_hints: dict[str, Any] = {}
    requested_zone: str | None = None
    requested_host: str | None = None
    requested_node: str | None = None
    forced: bool = False
    access_ip_v4: str | None = None
    access_ip_v6: str | None = None
    disk_config: str = "MANUAL"
    reservation_id: str
    launch_index: int = 0
    host: str | None = None
    node: str | None = None
    zone: str | None = None
    vm_state: str = lifecycle.BUILDING
    task_state: str | None = "scheduling"
    power_state: int = lifecycle.NOSTATE
    progress: int = 0
    locked: bool = False
    locked_reason: str | None = None
    fault: Fault | None = None
    admin_password: str | None = None
    guest_password: str | None = None
    created_at: str
    updated_at: str
    launched_at: str | None = None
    terminated_at: str | None = None
    deleted_at: str | None = None
    deleted: bool = False
    generation: int = 0

    @property
    def root_device_name(self) -> str:
        """What the guest calls its first disk."""
        return self.image_properties.root_device_name

    @property
    def on_volume(self) -> bool:
        """Whether it boots from a volume, and so has no disk of an image."""
        return not self.image_properties.blob

    @property
    def status(self) -> str:
        """The status that clients read."""
        return lifecycle.status(self.vm_state, self.task_state)


def get(tx: Transaction, context: Context, server_id: str) -> Server:
    """A server that exists for whoever asks. Raises NotFound."""
    server = records.find(tx, Server, server_id)
    if server is None or server.deleted or not context.sees(server.project_id):
        raise Server.missing(server_id)
    return server


def find(tx: Transaction, server_id: str) -> Server | None:
    """A server, deleted or not; for work that goes on by itself."""
    return records.find(tx, Server, server_id)


def living(tx: Transaction, server_id: str) -> Server:
    """A server that is not deleted; for work that goes on by itself. Raises NotFound."""
    server = records.find(tx, Server, server_id)
    if server is None or server.deleted:
        raise Server.missing(server_id)
    return server


def on_host(tx: Transaction, host: str) -> list[Server]:
    """The servers that live on a host."""
    return records.select(tx, Server, "host = ? AND deleted = 0 ORDER BY created_at, id", [host])


class Idle(msgspec.Struct, frozen=True):
    """A server on a host that nobody works on, at one moment: at any other it has another ``generation``."""

    id: str
    host: str
    vm_state: str
    power_state: int
    generation: int


def idle(tx: Transaction) -> dict[str, list[Idle]]:
    """The servers on hosts that have no task, by host."""
    found: dict[str, list[Idle]] = {}
    for row in tx.all(
        "SELECT id, host, vm_state, power_state, generation FROM servers "
        "WHERE deleted = 0 AND task_state IS NULL AND host IS NOT NULL ORDER BY created_at, id"
    ):
        found.setdefault(row[1], []).append(Idle(*row))
    return found


def named(tx: Transaction, context: Context, text: str) -> Server:
    """A server by id, or by name if only one has it. Raises NotFound, Conflict."""
    by_id = records.find(tx, Server, text)
    if by_id is not None and context.sees(by_id.project_id):
        return by_id
    found = [s for s in records.select(tx, Server, "name = ? AND deleted = 0", [text]) if context.sees(s.project_id)]
    if len(found) > 1:
        raise Conflict(f"{len(found)} servers are named {text}: use an id ({', '.join(s.id for s in found)})")
    if not found:
        raise NotFound(f"No server has the name or id {text}")
    return found[0]


def add(tx: Transaction, context: Context, server: Server) -> tuple[Server, int]:
    """Write a new server down, with the action that asks for it; returns both ids' owners: the server, the action's id."""
    records.insert(tx, server)
    action = actions.begin(tx, context, server.id, "create")
    actions.begin_event(tx, action.id, "conductor_schedule_and_build_instances", None)
    trace.note("server_asked", server=server.id, name=server.name, flavor=server.flavor.name, image=server.image_id)
    return server, action.id


def take(tx: Transaction, context: Context, server_id: str, name: str) -> tuple[Server, int]:
    """Take a server for an action of the lifecycle table: the swap that sets its task.

    Raises NotFound; Conflict when the state does not allow it, when the server is locked, or when somebody else was first.
    """
    action = lifecycle.TABLE[name]
    server = get(tx, context, server_id)
    if server.locked and not action.when_locked and not context.is_admin:
        raise Conflict(f"Instance {server_id} is locked")
    if action.needs_host and server.host is None:
        raise Conflict(f"Instance {server_id} is not ready", kind="not_ready")
    lifecycle.check(action, server_id, server.vm_state, server.task_state)
    _check_volumes(tx, server_id, action)
    server = records.change(tx, server, task_state=action.claims, updated_at=tx.now)
    asked = actions.begin(tx, context, server_id, action.recorded or action.word)
    actions.begin_event(tx, asked.id, action.event, server.host)
    trace.note("server_taken", action=name, task_state=action.claims)
    return server, asked.id


def seize(tx: Transaction, idle: Idle, name: str) -> tuple[Server, int]:
    """Take a server for an action that nobody asked for, in whatever state it is; only as it was seen.

    Raises NotFound, Conflict.
    """
    action = lifecycle.TABLE[name]
    server = living(tx, idle.id)
    if server.generation != idle.generation:
        raise Conflict(f"Instance {idle.id} was changed since it was seen", kind="stale")
    _check_volumes(tx, server.id, action)
    server = records.change(tx, server, task_state=action.claims, updated_at=tx.now)
    asked = actions.begin(tx, administrator(trace.request_id()), server.id, action.recorded or action.word)
    actions.begin_event(tx, asked.id, action.event, server.host)
    trace.note("server_taken", action=name, task_state=action.claims)
    return server, asked.id


def _check_volumes(tx: Transaction, server_id: str, action: lifecycle.ServerAction) -> None:
    """Raises Conflict for what would start the machine from the old place of a volume that is on its way to another one."""
    if action.name not in lifecycle.BESIDE_MIGRATIONS and (moving := migrations.of_server(tx, server_id)) is not None:
        raise Conflict(
            f"Cannot '{action.word}' instance {server_id} while its volume {moving} is being migrated", kind="migrating"
        )


def settle(tx: Transaction, server_id: str, action_id: int, claimed: str | None = None, **changes: Any) -> Server:
    """An action has ended well: no task any more, and what it changed.

    ``claimed`` is the action's own task: a server that was taken for another one meanwhile keeps that. None: any but deletion.
    """
    server = living(tx, server_id)
    actions.finish(tx, action_id, host=changes.get("host", server.host))
    own = server.task_state == claimed if claimed is not None else server.task_state != "deleting"
    task_state = None if own else server.task_state
    return records.change(tx, server, **{"task_state": task_state, "updated_at": tx.now, **changes})


def give_back(
    tx: Transaction, server_id: str, action_id: int, claimed: str | None, error: CloudError | None, **changes: Any
) -> None:
    """An action has failed: the server as it was, unless it has been taken for something stronger meanwhile."""
    server = records.find(tx, Server, server_id)
    message = None if error is None else error.message
    host = None if server is None else server.host
    actions.finish(tx, action_id, host=host, error=message or "the action was rolled back")
    if server is None or server.deleted:
        return
    if server.task_state == claimed:
        changes["task_state"] = None
    records.change(tx, server, **{**changes, "updated_at": tx.now})


def fault_of(tx: Transaction, error: CloudError) -> Fault:
    """An error as the server's fault, in Nova's form: 500 unless it was the user's doing. Details are for administrators."""
    code = {"invalid": 400, "forbidden": 403, "not_found": 404, "conflict": 409, "over_quota": 403}.get(
        error.meaning, 500
    )
    cause = error.detail.get("cause")
    details = f"{type(error).__name__}: {error.message}" + (f"\ncaused by {cause}" if cause else "")
    return Fault(code=code, message=error.message[:255], created=tx.now, details=details)


def hostname_of(name: str, server_id: str) -> str:
    """The host name made of a server's name, as Nova makes it (nova/utils.py sanitize_hostname)."""
    text = re.sub(r"[ _]", "-", name)
    text = re.sub(r"[^\w.-]+", "", text, flags=re.ASCII).lower().strip(".-")
    text = text[:63].rstrip(".-").replace(".", "-")
    return text or f"server-{server_id}"


def check_user_data(text: str | None) -> None:
    """User data is base64 of at most 64 KiB. Raises Invalid in Nova's words."""
    if text is None:
        return
    if len(text) > 65535:
        raise Invalid(
            f"User data too large. User data must be no larger than 65535 bytes once base64 encoded. Your data is {len(text)} bytes"
        )
    try:
        base64.b64decode(text)
    except (binascii.Error, ValueError) as error:
        raise Invalid("User data needs to be valid base 64.") from error


def new_password() -> str:
    """An administrator's password: 12 characters of which none looks like another."""
    alphabet = "23456789ABCDEFGHJKMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    return "".join(secrets.choice(alphabet) for _ in range(12))


def observe(tx: Transaction, server: Server, *, vm_state: str, power_state: int) -> Server:
    """The hypervisor sees a server in another state than its record says: the record follows."""
    return records.change(tx, server, vm_state=vm_state, power_state=power_state, updated_at=tx.now)
