"""What the command line reads of a cloud's rows; run by a running cloud (``desk``) or on the files of one (``offline``)."""

from collections.abc import Callable
from typing import Any

import msgspec

from minicloud.base.errors import Conflict, NotFound
from minicloud.base.ids import is_request_id, is_uuid
from minicloud.conductor import log
from minicloud.conductor.log import LogLine, SagaRow
from minicloud.core import records
from minicloud.core.compute import hosts, overview
from minicloud.core.compute.hosts import ComputeNode, Service
from minicloud.core.compute.servers import Server
from minicloud.core.identity.projects import Project
from minicloud.core.identity.users import User
from minicloud.core.image.images import Image
from minicloud.core.network.rows import Network, Port, Subnet
from minicloud.core.records import Condition, Query, Record
from minicloud.core.volume.backups import Backup
from minicloud.core.volume.group_snapshots import GroupSnapshot
from minicloud.core.volume.groups import Group
from minicloud.core.volume.snapshots import VolumeSnapshot
from minicloud.core.volume.transfers import Transfer
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction
from minicloud.operations import bearers, ways

_NAMED: tuple[type[Record], ...] = (
    Server,
    User,
    Project,
    Image,
    Network,
    Subnet,
    Port,
    Volume,
    VolumeSnapshot,
    Backup,
    Group,
    GroupSnapshot,
    Transfer,
)
_NOT_ENDED: list[Any] = [Condition("state", "not in", list(log.ENDED))]


class Saga(msgspec.Struct, frozen=True, kw_only=True):
    """A saga with its log."""

    id: str
    kind: str
    resource: str
    request_id: str
    state: str
    attempt: int
    created_at: str
    updated_at: str
    error: str | None
    log: list[LogLine]


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What ``explain`` was asked about: ``request_ids`` and ``resource`` say which notes belong to it."""

    kind: str
    id: str
    name: str
    state: str
    resource: str | None
    request_ids: list[str]
    sagas: list[Saga]


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """A cloud at a glance."""

    servers: dict[str, int]
    hosts: list[dict[str, Any]]
    open_sagas: int
    stuck_sagas: int


def subject(tx: Transaction, text: str) -> Subject:
    """What a text names: a request id, a saga's id, or the id or name of a server, volume, image or port. Raises NotFound, Conflict."""
    if is_request_id(text):
        rows = records.page(
            tx, SagaRow, Query(where=[Condition("request_id", "=", text)], sort=[("created_at", False)])
        )
        return Subject(
            kind="request", id=text, name=text, state="", resource=None, request_ids=[text], sagas=_with_logs(tx, rows)
        )
    row = records.find(tx, SagaRow, text)
    if row is not None:
        requests = [row.request_id] if row.request_id else []
        return Subject(
            kind="saga",
            id=row.id,
            name=row.kind,
            state=row.state,
            resource=row.resource,
            request_ids=requests,
            sagas=_with_logs(tx, [row]),
        )
    try:
        server = overview.ever(tx, text)
    except NotFound as error:
        stored = _stored(tx, text)
        if stored is None:
            raise NotFound(
                f"nothing here is called {text}: give the name or id of a server, volume, snapshot, backup, group of volumes, "
                "snapshot of a group, transfer, image or port, a request id (req-...), or a saga's id"
            ) from error
        return stored
    return _about(tx, "server", server.id, server.name, server.status)


_STORED: tuple[tuple[str, type[Record], bool], ...] = (
    ("volume", Volume, False),
    ("snapshot", VolumeSnapshot, False),
    ("backup", Backup, False),
    ("group", Group, False),
    ("group snapshot", GroupSnapshot, False),
    ("transfer", Transfer, False),
    ("image", Image, True),
    ("port", Port, False),
)
"""What has a name and a state, and whether its record stays when it is deleted."""


def _stored(tx: Transaction, text: str) -> Subject | None:
    """One of these by id, or by name if only one has it; one that is no more, by the work that was done on it."""
    for word, kind, stays in _STORED:
        named: list[Any] = [Condition("name", "=", text)] + ([Condition("deleted", "=", False)] if stays else [])
        found: list[Any] = records.page(tx, kind, Query(where=[Condition("id", "=", text)]))
        found = found or records.page(tx, kind, Query(where=named))
        if len(found) > 1:
            ids = ", ".join(one.id for one in found)
            raise Conflict(f"{len(found)} {word}s are named {text}: use an id ({ids})")
        if found:
            return _touching(tx, word, found[0].id, found[0].name or found[0].id, _state(found[0]))
    if is_uuid(text) and log.touching(tx, text):
        return _touching(tx, "resource", text, text, "gone")
    return None


def _state(found: Any) -> str:
    if isinstance(found, Transfer):
        return "accepted" if found.accepted else "waiting"
    return str(found.status)


def _about(tx: Transaction, kind: str, resource_id: str, name: str, state: str) -> Subject:
    return _subject(tx, kind, resource_id, name, state, log.of_resource(tx, resource_id))


def _touching(tx: Transaction, kind: str, resource_id: str, name: str, state: str) -> Subject:
    """As ``_about``, with the work on servers and others that it had a part in."""
    return _subject(tx, kind, resource_id, name, state, log.touching(tx, resource_id))


def _subject(tx: Transaction, kind: str, resource_id: str, name: str, state: str, rows: list[SagaRow]) -> Subject:
    return Subject(
        kind=kind,
        id=resource_id,
        name=name,
        state=state,
        resource=resource_id,
        request_ids=list(dict.fromkeys(row.request_id for row in rows if row.request_id)),
        sagas=_with_logs(tx, rows),
    )


def names(tx: Transaction, ids: list[str]) -> dict[str, str]:
    """Names of whatever has these ids: servers, users, projects, images, networks, subnets; hosts by their provider's id."""
    found: dict[str, str] = {}
    for kind in _NAMED:
        found |= {row.id: row.name for row in records.select_in(tx, kind, "id", ids) if row.name}  # type: ignore[attr-defined] # each of these kinds has a name
    found |= {node.uuid: node.host for node in records.select_in(tx, ComputeNode, "uuid", ids)}
    return found


def sagas(tx: Transaction, *, ended: bool = False, limit: int = 100) -> list[Saga]:
    """The newest sagas that have not ended, or of all; newest first, without their logs."""
    query = Query(where=[] if ended else _NOT_ENDED, sort=[("created_at", True)], limit=limit)
    return [_saga(row, []) for row in records.page(tx, SagaRow, query)]


def images(tx: Transaction) -> list[dict[str, Any]]:
    """Every image of the cloud, newest first."""
    query = Query(where=[Condition("deleted", "=", False)], sort=[("created_at", True)])
    return [
        {
            "id": image.id,
            "name": image.name,
            "status": image.status,
            "format": image.disk_format,
            "size": image.size,
            "visibility": image.visibility,
        }
        for image in records.page(tx, Image, query)
    ]


def glance(tx: Transaction) -> Overview:
    """A cloud at a glance, but for what only a running one knows: which hosts are up."""
    stuck = records.count(tx, SagaRow, [Condition("state", "=", "stuck")])
    nodes = {node.host: node for node in hosts.nodes(tx)}
    return Overview(
        servers=overview.counts(tx),
        hosts=[
            _host(service, nodes.get(service.host))
            for service in sorted(hosts.services(tx), key=lambda one: one.host)
            if service.binary == hosts.COMPUTE
        ],
        open_sagas=records.count(tx, SagaRow, _NOT_ENDED) - stuck,
        stuck_sagas=stuck,
    )


def _host(service: Service, node: ComputeNode | None) -> dict[str, Any]:
    known: dict[str, Any] = {
        "host": service.host,
        "zone": service.zone,
        "enabled": not service.disabled,
        "reason": service.disabled_reason,
        "forced_down": service.forced_down,
    }
    if node is not None:
        known |= {
            "hypervisor": node.hypervisor_type,
            "accelerator": node.accelerator,
            "fabric": node.fabric,
            "vcpus": node.vcpus,
            "memory_mb": node.memory_mb,
            "disk_gb": node.disk_gb,
        }
    return known


def _with_logs(tx: Transaction, rows: list[SagaRow]) -> list[Saga]:
    return [_saga(row, log.lines(tx, row.id)) for row in rows]


def _saga(row: SagaRow, lines: list[LogLine]) -> Saga:
    return Saga(
        id=row.id,
        kind=row.kind,
        resource=row.resource,
        request_id=row.request_id,
        state=row.state,
        attempt=row.attempt,
        created_at=row.created_at,
        updated_at=row.updated_at,
        error=None if row.error is None else row.error.message,
        log=lines,
    )


READS: dict[str, Callable[..., Any]] = {
    "bearer": bearers.bearer,
    "subject": subject,
    "names": names,
    "sagas": sagas,
    "images": images,
    "glance": glance,
    "way": ways.way,
}
"""By the names under which a running cloud is asked for them."""
