"""The metadata that users give a server: merged, replaced, taken away, within the quota and while the server may be touched."""

from collections.abc import Mapping

from minicloud.base.errors import NotFound
from minicloud.core import quota, records
from minicloud.core.compute import lifecycle, locks, servers
from minicloud.core.compute.lifecycle import ACTIVE, PAUSED, STOPPED, SUSPENDED, ServerAction
from minicloud.core.compute.servers import Server
from minicloud.core.context import Context
from minicloud.engines.database import Transaction

TOUCHABLE = frozenset({ACTIVE, PAUSED, SUSPENDED, STOPPED})


def item(tx: Transaction, context: Context, server_id: str, key: str) -> str:
    """One value. Raises NotFound."""
    found = servers.get(tx, context, server_id).metadata.get(key)
    if found is None:
        raise _absent()
    return found


def merge(tx: Transaction, context: Context, server_id: str, items: Mapping[str, str]) -> dict[str, str]:
    """Set these items and keep the others; all of them now. Raises NotFound, Conflict, OverQuota."""
    server = _taken(tx, context, server_id, "update metadata")
    return _store(tx, server, {**server.metadata, **items})


def replace(tx: Transaction, context: Context, server_id: str, items: Mapping[str, str]) -> dict[str, str]:
    """These items and no others. Raises NotFound, Conflict, OverQuota."""
    return _store(tx, _taken(tx, context, server_id, "update metadata"), dict(items))


def remove(tx: Transaction, context: Context, server_id: str, key: str) -> None:
    """Take one item away. Raises NotFound, Conflict."""
    server = servers.get(tx, context, server_id)
    if key not in server.metadata:
        raise _absent()
    server = _taken(tx, context, server_id, "delete metadata")
    _store(tx, server, {name: value for name, value in server.metadata.items() if name != key})


def _taken(tx: Transaction, context: Context, server_id: str, word: str) -> Server:
    server = servers.get(tx, context, server_id)
    locks.require_unlocked(context, server)
    rule = ServerAction(name=word, word=word, vm_states=TOUCHABLE, tasks=None, claims=None, saga="", event="")
    lifecycle.check(rule, server_id, server.vm_state, server.task_state)
    return server


def _store(tx: Transaction, server: Server, items: dict[str, str]) -> dict[str, str]:
    quota.check(tx, "compute", server.project_id, {"metadata_items": len(items)}, {})
    records.change(tx, server, metadata=items, updated_at=tx.now)
    return items


def _absent() -> NotFound:
    return NotFound("Metadata item was not found")
