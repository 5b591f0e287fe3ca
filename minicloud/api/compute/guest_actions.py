"""What is done inside guests: their administrator's password (changePassword), a crash on purpose (trigger_crash_dump)."""

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.routes import Action
from minicloud.base.errors import Conflict, NotOffered
from minicloud.conductor.compute.change_password import ChangePassword
from minicloud.conductor.compute.trigger_crash_dump import TriggerCrashDump
from minicloud.core.compute import servers
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN
from minicloud.core.records import Transaction

PATIENCE_S = 30.0


class Password(Body):
    """The body of changePassword."""

    admin_pass: str = msgspec.field(name="adminPass")


async def change_password(call: Call, server_id: str, body: Password) -> None:
    """Set the password, and answer when the guest's agent has done it, or will not."""

    def work(tx: Transaction) -> str:
        server, action_id = servers.take(tx, call.context, server_id, "changePassword")
        claimed = server.task_state or ""
        saga = ChangePassword(server_id=server.id, action_id=action_id, claimed=claimed, password=body.admin_pass)
        return call.begin(tx, saga)

    error = await call.means.executor.failure(await call.write(work), seconds=PATIENCE_S)
    if error is None:
        return
    if isinstance(error, NotOffered):
        raise NotOffered("Unable to set password on instance") from error
    if error.kind == "no_agent":
        raise Conflict(error.message) from error
    raise Conflict(f"Failed to set admin password on {server_id} because {error.message}") from error


async def trigger_crash_dump(call: Call, server_id: str, body: bytes) -> None:
    """Promise a non-maskable interrupt."""
    queries.only_null(body, "trigger_crash_dump")

    def work(tx: Transaction) -> None:
        server, action_id = servers.take(tx, call.context, server_id, "trigger_crash_dump")
        call.begin(tx, TriggerCrashDump(server_id=server.id, action_id=action_id))

    await call.write(work)


routes = [
    Action("changePassword", change_password, policy="os_compute_api:os-admin-password", allow=PROJECT_MEMBER_OR_ADMIN),
    Action("trigger_crash_dump", trigger_crash_dump, policy="os_compute_api:servers:trigger_crash_dump", allow=PROJECT_MEMBER_OR_ADMIN, since="2.17"),
]  # fmt: skip
