"""Locks on servers: who has locked one, why, and what a locked server refuses to those who are no administrators."""

from typing import ClassVar

from minicloud.base import trace
from minicloud.base.errors import Conflict
from minicloud.core import records
from minicloud.core.compute import actions, servers
from minicloud.core.compute.servers import Server
from minicloud.core.context import Context
from minicloud.core.queries import Condition, Query
from minicloud.engines.database import Transaction

OWNER, ADMIN = "owner", "admin"


class ServerLock(records.Record, kw_only=True):
    """On whose behalf a server is locked: of somebody in its own project, or of an administrator elsewhere."""

    TABLE = "server_locks"
    KEY: ClassVar[tuple[str, ...]] = ("server_id",)

    server_id: str
    locked_by: str


def servers_locked_by(tx: Transaction, expression: str) -> list[str]:
    """The servers whose lock's side matches a regular expression. Raises Invalid for a bad one."""
    query = Query(where=[Condition("locked_by", "matches", expression)])
    return [lock.server_id for lock in records.page(tx, ServerLock, query)]


def require_unlocked(context: Context, server: Server) -> None:
    """Raises Conflict for a locked server, unless an administrator asks."""
    if server.locked and not context.is_admin:
        raise Conflict(f"Instance {server.id} is locked")


def lock(tx: Transaction, context: Context, server_id: str, reason: str | None) -> Server:
    """Lock a server; its own project locks it once, an administrator may take the lock over. Raises NotFound."""
    server = servers.get(tx, context, server_id)
    side = _side(context, server)
    if server.locked and side == OWNER:
        return server
    held = records.find(tx, ServerLock, server.id)
    if held is not None:
        records.remove(tx, held)
    records.insert(tx, ServerLock(server_id=server.id, locked_by=side))
    _note(tx, context, server, "lock")
    return records.change(tx, server, locked=True, locked_reason=reason or server.locked_reason, updated_at=tx.now)


def is_own(tx: Transaction, context: Context, server: Server) -> bool:
    """Whether the lock, if there is one, is of the same side as whoever asks; another one's takes a stronger right to undo."""
    held = records.find(tx, ServerLock, server.id)
    return held is None or held.locked_by == _side(context, server)


def unlock(tx: Transaction, context: Context, server: Server) -> Server:
    """Take the lock away, whosever it is."""
    held = records.find(tx, ServerLock, server.id)
    if held is not None:
        records.remove(tx, held)
    _note(tx, context, server, "unlock")
    return records.change(tx, server, locked=False, locked_reason=None, updated_at=tx.now)


def _side(context: Context, server: Server) -> str:
    return OWNER if context.project_id == server.project_id else ADMIN


def _note(tx: Transaction, context: Context, server: Server, name: str) -> None:
    action = actions.begin(tx, context, server.id, name)
    actions.begin_event(tx, action.id, f"api_{name}", server.host)
    actions.finish(tx, action.id, host=server.host)
    trace.note(f"server_{name}ed", server=server.id)
