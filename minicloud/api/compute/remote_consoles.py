"""Consoles over the network: no type is on offer yet, and each says so as Nova does where it is switched off."""

from typing import Any, Literal, NoReturn

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.routes import Action, Get, Post
from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core.compute import servers
from minicloud.core.policy import ADMIN, PROJECT_MEMBER_OR_ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:os-remote-consoles"
TOKENS = "os_compute_api:os-console-auth-tokens"
LAST_ACTIONS = "2.5"


class VncConsole(Body):
    """The body of os-getVNCConsole."""

    type: Literal["novnc", "xvpvnc"]


class SpiceConsole(Body):
    """The body of os-getSPICEConsole."""

    type: Literal["spice-html5"]


class SerialConsole(Body):
    """The body of os-getSerialConsole."""

    type: Literal["serial"]


class RdpConsole(Body, open=True):
    """The body of os-getRDPConsole, which Nova does not look into."""


class RemoteConsole(Body, wrap="remote_console"):
    """The body of POST /servers/{id}/remote-consoles; what ``mks`` and ``spice-direct`` need is said in ``create``."""

    protocol: Literal["vnc", "spice", "serial", "rdp", "mks"]
    type: Literal["novnc", "xvpvnc", "spice-html5", "serial", "rdp-html5", "webmks", "spice-direct"]


async def _unavailable(call: Call, server_id: str, kind: str) -> NoReturn:
    """Raises NotFound, Conflict; else Invalid: no proxy of this type runs."""

    def work(tx: Transaction) -> None:
        server = servers.get(tx, call.context, server_id)
        if server.host is None:
            raise Conflict(f"Instance {server_id} is not ready")
        if server.task_state in ("deleting", "migrating"):
            raise Conflict(
                f"Cannot 'get_{kind}_console' instance {server_id} while it is in task_state {server.task_state}"
            )

    await call.read(work)
    raise Invalid(f"Unavailable console type {kind}.")


async def vnc(call: Call, server_id: str, body: VncConsole) -> Any:
    """A screen, before 2.6."""
    await _unavailable(call, server_id, body.type)


async def spice(call: Call, server_id: str, body: SpiceConsole) -> Any:
    """A screen by SPICE, before 2.6."""
    await _unavailable(call, server_id, body.type)


async def serial(call: Call, server_id: str, body: SerialConsole) -> Any:
    """The serial port, before 2.6."""
    await _unavailable(call, server_id, body.type)


async def rdp(call: Call, server_id: str, body: RdpConsole) -> Any:
    """Gone from Nova with the only hypervisor that had it."""
    raise Invalid("The server could not comply with the request since it is either malformed or otherwise incorrect.")


async def create(call: Call, server_id: str, body: RemoteConsole) -> Any:
    """A console of any type."""
    late = {"mks": "2.8", "webmks": "2.8", "spice-direct": "2.99"}
    for field, value in (("protocol", body.protocol), ("type", body.type)):
        if value in late and not call.at_least(late[value]):
            raise Invalid(
                f"Invalid input for field/attribute {field}. Value: {value}. {value!r} is not one of those known"
            )
    await _unavailable(call, server_id, body.type if body.protocol != "rdp" else body.protocol)


async def token(call: Call, token: str) -> Any:
    """Where a console token leads: nowhere, as none was ever given out."""
    queries.only(call, since="2.99")
    if not call.at_least("2.31"):
        raise Invalid(
            "The server could not comply with the request since it is either malformed or otherwise incorrect."
        )
    raise NotFound("Token not found")


routes = [
    Action("os-getVNCConsole", vnc, policy=POLICY, allow=PROJECT_MEMBER_OR_ADMIN, until=LAST_ACTIONS, status=200),
    Action("os-getSPICEConsole", spice, policy=POLICY, allow=PROJECT_MEMBER_OR_ADMIN, until=LAST_ACTIONS, status=200),
    Action("os-getRDPConsole", rdp, policy=POLICY, allow=PROJECT_MEMBER_OR_ADMIN, until=LAST_ACTIONS, status=200),
    Action("os-getSerialConsole", serial, policy=POLICY, allow=PROJECT_MEMBER_OR_ADMIN, until=LAST_ACTIONS, status=200),
    Post("/servers/{server_id}/remote-consoles", create, policy=POLICY, allow=PROJECT_MEMBER_OR_ADMIN, since="2.6"),
    Get("/os-console-auth-tokens/{token}", token, policy=TOKENS, allow=ADMIN),
]
