"""States of servers that an administrator sets by hand, whatever the server does."""

from minicloud.base import trace
from minicloud.core import records
from minicloud.core.compute import actions, servers
from minicloud.core.compute.servers import Server
from minicloud.core.context import Context
from minicloud.engines.database import Transaction


def reset(tx: Transaction, context: Context, server_id: str, vm_state: str) -> Server:
    """The server is said to be in this state and to have no task; work on it finds that out and gives up. Raises NotFound."""
    server = servers.get(tx, context, server_id)
    action = actions.begin(tx, context, server.id, "resetState")
    actions.finish(tx, action.id, host=server.host)
    trace.note("state_reset", server=server.id, before=server.vm_state, task=server.task_state, now=vm_state)
    return records.change(tx, server, vm_state=vm_state, task_state=None, updated_at=tx.now)
