"""Migrations: a record for each move of a server, from the wish to its end; while it is open it holds the server's old place.

``open``: the source may still hold the server's old disks, and Placement what it had there, under the migration's own id as
consumer. Words of the status are Nova's (nova 34.0.0: compute/manager.py, conductor/tasks).
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

import msgspec

from minicloud.base import trace
from minicloud.base.errors import NotFound
from minicloud.core import records
from minicloud.core.compute.servers import Server, ServerFlavor
from minicloud.core.context import Context
from minicloud.engines.database import Transaction

Kind = Literal["resize", "migration", "live-migration", "evacuation"]

OPEN = (
    *("accepted", "queued", "preparing", "running", "pre-migrating", "migrating", "post-migrating"),
    *("finished", "confirming", "reverting"),
)
_OPEN_JSON = msgspec.json.encode(OPEN).decode()
LIVE = ("queued", "preparing", "running", "post-migrating")
"""What a live migration in progress is, for those who ask for it by its number."""


class Migration(records.Record, kw_only=True):
    """A move. ``vm_state`` is that of the server before; memory and disk in bytes, while a guest moves alive."""

    TABLE = "server_migrations"
    KEY: ClassVar[tuple[str, ...]] = ("uuid",)
    MISSING: ClassVar[str] = "Migration {id} could not be found."

    uuid: str
    id: int
    server_id: str
    project_id: str
    user_id: str
    kind: Kind
    status: str
    source_compute: str | None
    source_node: str | None
    dest_compute: str | None = None
    dest_node: str | None = None
    dest_host: str | None = None
    old_flavor: ServerFlavor | None = None
    new_flavor: ServerFlavor | None = None
    old_flavor_id: int | None = None
    new_flavor_id: int | None = None
    vm_state: str
    memory_total: int | None = None
    memory_processed: int | None = None
    memory_remaining: int | None = None
    disk_total: int | None = None
    disk_processed: int | None = None
    disk_remaining: int | None = None
    created_at: str
    updated_at: str | None = None


def begin(
    tx: Transaction,
    context: Context,
    server: Server,
    kind: Kind,
    status: str,
    *,
    new_flavor: ServerFlavor | None = None,
    dest: str | None = None,
    flavor_ids: tuple[int | None, int | None] = (None, None),
) -> Migration:
    """Write a move down. ``new_flavor`` None: it keeps its flavor; ``dest``: the host that was asked for."""
    row = tx.one("SELECT COALESCE(max(id), 0) + 1 FROM server_migrations")
    assert row is not None
    made = Migration(
        uuid=tx.ids.uuid(),
        id=row[0],
        server_id=server.id,
        # As upstream: of whoever asked for it, who is mostly an administrator.
        project_id=context.project_id or "",
        user_id=context.user_id,
        kind=kind,
        status=status,
        source_compute=server.host,
        source_node=server.node,
        dest_compute=dest,
        old_flavor=server.flavor,
        new_flavor=new_flavor or server.flavor,
        old_flavor_id=flavor_ids[0],
        new_flavor_id=flavor_ids[1] if new_flavor is not None else flavor_ids[0],
        vm_state=server.vm_state,
        created_at=tx.now,
    )
    trace.note("migration", migration=made.uuid, server=server.id, type=kind, status=status, source=server.host)
    return records.insert(tx, made)


def get(tx: Transaction, uuid: str) -> Migration:
    """A move by its id. Raises NotFound."""
    return records.get(tx, Migration, uuid)


def of_server(tx: Transaction, server_id: str, number: str) -> Migration:
    """A server's move by its number or id. Raises NotFound in Nova's words."""
    number_of = int(number) if number.isdecimal() and len(number) < 18 else -1
    found = records.select(tx, Migration, "server_id = ? AND (id = ? OR uuid = ?)", [server_id, number_of, number])
    if not found:
        raise NotFound(f"Migration {number} not found for instance {server_id}")
    return found[0]


def with_status(tx: Transaction, server_id: str, *statuses: str) -> Migration | None:
    """The newest move of a server that is in one of these states."""
    found = records.select(tx, Migration, "server_id = ? ORDER BY created_at DESC, id DESC", [server_id])
    return next((one for one in found if one.status in statuses), None)


def open_of_server(tx: Transaction, server_id: str) -> list[Migration]:
    """A server's moves that have not come to an end."""
    return [
        one for one in records.select(tx, Migration, "server_id = ? ORDER BY id", [server_id]) if one.status in OPEN
    ]


def homes(tx: Transaction, server_id: str) -> list[str]:
    """The hosts that may have something of a server: where it lives, and where an open move comes from or goes to."""
    server = records.find(tx, Server, server_id)
    found = [None if server is None else server.host]
    for one in open_of_server(tx, server_id):
        found += [one.source_compute, one.dest_compute]
    return list(dict.fromkeys(host for host in found if host is not None))


def guests(tx: Transaction, host: str) -> set[str]:
    """The servers of which a host may have something because an open move comes from it or goes to it."""
    rows = tx.all(
        "SELECT server_id FROM server_migrations WHERE source_compute = ? AND status IN (SELECT value FROM json_each(?)) "
        "UNION SELECT server_id FROM server_migrations WHERE dest_compute = ? AND status IN (SELECT value FROM json_each(?))",
        [host, _OPEN_JSON, host, _OPEN_JSON],
    )
    return {server_id for (server_id,) in rows}


def closed(tx: Transaction, uuids: Iterable[str]) -> list[str]:
    """Of these ids, those of moves that have come to an end."""
    return sorted(one.uuid for one in records.select_in(tx, Migration, "uuid", set(uuids)) if one.status not in OPEN)


def in_state(tx: Transaction, status: str, *kinds: Kind) -> list[Migration]:
    """All moves of these kinds in a state, oldest first."""
    return [one for one in records.select(tx, Migration, "status = ? ORDER BY id", [status]) if one.kind in kinds]


def in_progress(tx: Transaction, server_id: str) -> list[Migration]:
    """The live migrations of a server that are under way."""
    found = records.select(tx, Migration, "server_id = ? AND kind = 'live-migration' ORDER BY id", [server_id])
    return [one for one in found if one.status in LIVE]


def move(tx: Transaction, uuid: str, status: str, **changes: Any) -> Migration:
    """A move is in another state, and what else was learned. Raises NotFound."""
    found = get(tx, uuid)
    if status != found.status:
        trace.note("migration", migration=uuid, server=found.server_id, type=found.kind, status=status, **changes)
    return records.change(tx, found, status=status, updated_at=tx.now, **changes)
