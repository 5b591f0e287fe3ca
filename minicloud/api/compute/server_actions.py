"""Actions on servers (POST /servers/{id}/action): power, reboot, console."""

from typing import Annotated, Any

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.routes import Action
from minicloud.base.errors import Conflict, Invalid
from minicloud.conductor.compute import consoles
from minicloud.conductor.compute.reboot_server import RebootServer
from minicloud.conductor.compute.start_server import StartServer
from minicloud.conductor.compute.stop_server import StopServer
from minicloud.core.compute import servers
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:servers"


class Reboot(Body):
    """The body of the action reboot."""

    type: str


async def start(call: Call, server_id: str) -> None:
    """Power on."""

    def work(tx: Transaction) -> None:
        server, action_id = servers.take(tx, call.context, server_id, "start")
        call.begin(tx, StartServer(server_id=server.id, action_id=action_id, claimed=server.task_state or ""))

    await call.write(work)


async def stop(call: Call, server_id: str) -> None:
    """Power off."""

    def work(tx: Transaction) -> None:
        server, action_id = servers.take(tx, call.context, server_id, "stop")
        call.begin(tx, StopServer(server_id=server.id, action_id=action_id, claimed=server.task_state or ""))

    await call.write(work)


async def reboot(call: Call, server_id: str, body: Reboot) -> None:
    """Start the guest anew."""
    kind = body.type.upper()
    if kind not in ("SOFT", "HARD"):
        raise Invalid(
            f"Invalid input for field/attribute type. Value: {body.type}. '{body.type}' is not one of ['HARD', 'Hard', 'hard', 'SOFT', 'Soft', 'soft']"
        )
    name, word = ("reboot_soft", "SOFT") if kind == "SOFT" else ("reboot_hard", "HARD")

    def work(tx: Transaction) -> None:
        server, action_id = servers.take(tx, call.context, server_id, name)
        claimed = server.task_state or ""
        call.begin(
            tx,
            RebootServer(
                server_id=server.id, action_id=action_id, claimed=claimed, kind="SOFT" if word == "SOFT" else "HARD"
            ),
        )

    await call.write(work)


class ConsoleOutput(Body):
    """The body of os-getConsoleOutput: the last lines, or all there is."""

    length: Annotated[int, msgspec.Meta(ge=-1)] | Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]+\Z")] | None = None


async def console_output(call: Call, server_id: str, body: ConsoleOutput) -> Any:
    """The last lines of the serial console."""
    server = await call.read(lambda tx: servers.get(tx, call.context, server_id))
    if server.host is None:
        raise Conflict(f"Instance {server_id} is not ready")
    text = await consoles.output(call.world, server.host, server.id)
    lines = _lines(body.length)
    kept = text.split("\n")
    if lines is not None:
        # As Nova counts: what follows the last line's end is a line, too.
        kept = kept[-lines:] if lines else []
    return {"output": "\n".join(kept)}


def _lines(length: int | str | None) -> int | None:
    if isinstance(length, str):
        length = int(length[:20])
    return None if length is None or length < 0 else length


routes = [
    Action("os-start", start, policy=f"{POLICY}:start", allow=PROJECT_MEMBER_OR_ADMIN),
    Action("os-stop", stop, policy=f"{POLICY}:stop", allow=PROJECT_MEMBER_OR_ADMIN),
    Action("reboot", reboot, policy=f"{POLICY}:reboot", allow=PROJECT_MEMBER_OR_ADMIN),
    Action("os-getConsoleOutput", console_output, policy="os_compute_api:os-console-output", allow=PROJECT_MEMBER_OR_ADMIN, status=200),
]  # fmt: skip
