"""Deleting servers for the time being, bringing them back, and deleting them at once (the actions restore and forceDelete)."""

from minicloud.api.call import Call
from minicloud.api.routes import Action
from minicloud.conductor.compute.delete_server import DeleteServer
from minicloud.conductor.compute.soft_delete_server import RestoreServer, SoftDeleteServer
from minicloud.core.compute import deferred_deletes, lifecycle, servers
from minicloud.core.compute.servers import Server
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:os-deferred-delete"


def begin(tx: Transaction, call: Call, server: Server) -> None:
    """Promise that a server is off and out of sight; one that is needs nothing more."""
    if server.task_state in ("deleting", "soft-deleting") or server.vm_state == lifecycle.SOFT_DELETED:
        return
    taken, action_id = servers.take(tx, call.context, server.id, "soft_delete")
    call.begin(tx, SoftDeleteServer(server_id=taken.id, action_id=action_id, claimed=taken.task_state or ""))


def begin_final(tx: Transaction, call: Call, server: Server) -> None:
    """Promise that nothing of a server is left; one that is being deleted needs nothing more."""
    if server.task_state == "deleting":
        return
    taken, action_id = servers.take(tx, call.context, server.id, "delete")
    call.begin(tx, DeleteServer(server_id=taken.id, action_id=action_id, claimed="deleting"))


async def restore(call: Call, server_id: str) -> None:
    """Promise that a deleted server is there again."""

    def work(tx: Transaction) -> None:
        server, action_id = deferred_deletes.ask_restore(tx, call.context, server_id)
        call.begin(tx, RestoreServer(server_id=server.id, action_id=action_id, claimed=server.task_state or ""))

    await call.write(work)


async def force_delete(call: Call, server_id: str) -> None:
    """Delete for good, whatever the server does."""
    await call.write(lambda tx: begin_final(tx, call, servers.get(tx, call.context, server_id)))


routes = [
    Action("restore", restore, policy=f"{POLICY}:restore", allow=PROJECT_MEMBER_OR_ADMIN),
    Action("forceDelete", force_delete, policy=f"{POLICY}:force", allow=PROJECT_MEMBER_OR_ADMIN),
]
