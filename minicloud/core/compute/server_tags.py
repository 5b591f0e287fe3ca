"""Tags of a server: short words, at most fifty."""

from collections.abc import Sequence

from minicloud.base.errors import Invalid, NotFound
from minicloud.core import records
from minicloud.core.compute import lifecycle, servers
from minicloud.core.compute.lifecycle import ServerAction
from minicloud.core.compute.server_metadata import TOUCHABLE
from minicloud.core.compute.servers import Server
from minicloud.core.context import Context
from minicloud.engines.database import Transaction

MOST = 50
LONGEST = 60


def require(tx: Transaction, context: Context, server_id: str, tag: str) -> None:
    """Raises NotFound when the server does not have the tag."""
    if tag not in servers.get(tx, context, server_id).tags:
        raise _absent(server_id, tag)


def add(tx: Transaction, context: Context, server_id: str, tag: str) -> bool:
    """Give a server a tag; False when it has it. Raises NotFound, Conflict, Invalid."""
    server = _touched(tx, context, server_id, "update tag")
    if not 0 < len(tag) <= LONGEST or "," in tag or "/" in tag:
        raise Invalid(
            f"Tag '{tag}' is invalid. It must be a non empty string without characters '/' and ','. "
            f"Validation error message: {tag!r} is empty, longer than {LONGEST} characters, or has one of these"
        )
    if len(server.tags) >= MOST:
        raise Invalid(f"The number of tags exceeded the per-server limit {MOST}")
    if tag in server.tags:
        return False
    records.change(tx, server, tags=[*server.tags, tag], updated_at=tx.now)
    return True


def replace(tx: Transaction, context: Context, server_id: str, tags: Sequence[str]) -> list[str]:
    """These tags and no others, each once. Raises NotFound, Conflict."""
    server = _touched(tx, context, server_id, "update tags")
    wanted = list(dict.fromkeys(tags))
    records.change(tx, server, tags=wanted, updated_at=tx.now)
    return wanted


def remove(tx: Transaction, context: Context, server_id: str, tag: str) -> None:
    """Take one tag away. Raises NotFound, Conflict."""
    server = _touched(tx, context, server_id, "delete tag")
    if tag not in server.tags:
        raise _absent(server_id, tag)
    records.change(tx, server, tags=[kept for kept in server.tags if kept != tag], updated_at=tx.now)


def clear(tx: Transaction, context: Context, server_id: str) -> None:
    """Take all tags away. Raises NotFound, Conflict."""
    records.change(tx, _touched(tx, context, server_id, "delete tags"), tags=[], updated_at=tx.now)


def _touched(tx: Transaction, context: Context, server_id: str, word: str) -> Server:
    server = servers.get(tx, context, server_id)
    rule = ServerAction(name=word, word=word, vm_states=TOUCHABLE, tasks=None, claims=None, saga="", event="")
    lifecycle.check(rule, server_id, server.vm_state, server.task_state)
    return server


def _absent(server_id: str, tag: str) -> NotFound:
    return NotFound(f"Server {server_id} has no tag '{tag}'")
