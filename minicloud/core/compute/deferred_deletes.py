"""Servers that are deleted for the time being: they are off and out of sight, and can be restored until they are reclaimed."""

from minicloud.core import quota, records, user_quotas
from minicloud.core.compute import lifecycle, requests, servers
from minicloud.core.compute.servers import Idle, Server
from minicloud.core.context import Context
from minicloud.engines.database import Transaction


def restorable(server: Server) -> bool:
    """Whether a server can be deleted so that it can be restored: one that was never there is gone at once, as upstream."""
    return server.launched_at is not None and server.host is not None


def ask_restore(tx: Transaction, context: Context, server_id: str) -> tuple[Server, int]:
    """Take a deleted server to be restored. Raises NotFound, Conflict, OverQuota: it counts again from now on."""
    server, action_id = servers.take(tx, context, server_id, "restore")
    deltas = {"instances": 1, "cores": server.vcpus, "ram": server.memory_mb}
    project_id, user_id = server.project_id, server.user_id
    quota.check(tx, "compute", project_id, deltas, lambda: requests.usage(tx, project_id))
    user_quotas.check(tx, "compute", project_id, user_id, deltas, lambda: requests.usage(tx, project_id, user_id))
    return server, action_id


def overdue(tx: Transaction, before: str) -> list[Idle]:
    """Servers without a task that were deleted for the time being before this moment."""
    found = records.select(
        tx,
        Server,
        "deleted = 0 AND task_state IS NULL AND vm_state = ? AND deleted_at < ? ORDER BY deleted_at, id",
        [lifecycle.SOFT_DELETED, before],
    )
    return [Idle(one.id, one.host or "", one.vm_state, one.power_state, one.generation) for one in found]
