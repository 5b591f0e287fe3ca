"""Servers as whoever runs the cloud looks at them: how many in which status, and one found by name even after its end."""

from collections import Counter

from minicloud.base.errors import NotFound
from minicloud.core import records
from minicloud.core.compute import lifecycle, servers
from minicloud.core.compute.servers import Server
from minicloud.core.context import administrator
from minicloud.engines.database import Transaction


def counts(tx: Transaction) -> dict[str, int]:
    """How many living servers have each status, the most frequent first."""
    found = Counter[str]()
    for vm_state, task_state, number in tx.all(
        "SELECT vm_state, task_state, count(*) FROM servers WHERE deleted = 0 GROUP BY vm_state, task_state"
    ):
        found[lifecycle.status(vm_state, task_state)] += number
    return dict(found.most_common())


def ever(tx: Transaction, text: str) -> Server:
    """A server by id or name, the newest deleted one of that name where none lives. Raises NotFound, Conflict."""
    try:
        return servers.named(tx, administrator(), text)
    except NotFound:
        gone = records.select(tx, Server, "name = ? ORDER BY created_at DESC, id DESC LIMIT 1", [text])
        if gone:
            return gone[0]
        raise
