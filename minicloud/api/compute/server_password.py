"""The password that a guest made for itself (``/servers/{id}/os-server-password``)."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.routes import Delete, Get
from minicloud.core.compute import server_passwords
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN

POLICY = "os_compute_api:os-server-password"
PATH = "/servers/{server_id}/os-server-password"


async def show(call: Call, server_id: str) -> Any:
    """What the guest has told the metadata service, encrypted with the server's key."""
    queries.only(call, since="2.102")
    return {"password": await call.read(lambda tx: server_passwords.get(tx, call.context, server_id))}


async def clear(call: Call, server_id: str) -> None:
    """Forget it."""
    await call.write(lambda tx: server_passwords.clear(tx, call.context, server_id))


routes = [
    Get(PATH, show, policy=f"{POLICY}:show", allow=PROJECT_READER_OR_ADMIN),
    Delete(PATH, clear, policy=f"{POLICY}:clear", allow=PROJECT_MEMBER_OR_ADMIN, status=204),
]
