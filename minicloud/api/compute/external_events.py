"""What other services tell of servers (``/os-server-external-events``)."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import UUID, Body
from minicloud.api.call import Call, Reply
from minicloud.api.routes import Post
from minicloud.base import trace
from minicloud.base.errors import Invalid
from minicloud.core.compute import interfaces, servers
from minicloud.core.compute.servers import Server
from minicloud.core.policy import ADMIN_OR_SERVICE
from minicloud.core.records import Transaction

CARDS = "cards"
POLICY = "os_compute_api:os-server-external-events:create"
SINCE = {
    "volume-extended": "2.51",
    "power-update": "2.76",
    "accelerator-request-bound": "2.82",
    "volume-reimaged": "2.93",
}
TAG_REQUIRED = ("accelerator-request-bound", "volume-extended", "volume-reimaged")
NAMES = ("network-changed", "network-vif-plugged", "network-vif-unplugged", "network-vif-deleted", *SINCE)


class Event(Body):
    """One event."""

    name: str
    server_uuid: UUID
    status: Literal["failed", "completed", "in-progress"] = "completed"
    tag: Annotated[str, msgspec.Meta(max_length=255)] | UnsetType = UNSET


class Events(Body):
    """The body of POST /os-server-external-events."""

    events: Annotated[list[Event], msgspec.Meta(min_length=1)]


async def create(call: Call, body: Events) -> Any:
    """Take note of events, each with its own outcome; 207 where one was not for us.

    What most of them tell this cloud sees by itself: ports and volumes live in the same process, and reconcilers read power
    states. A port that is said to be deleted is the server's no more, even if it is there.
    """
    known = [name for name in NAMES if name not in SINCE or call.at_least(SINCE[name])]
    for event in body.events:
        if event.name not in known:
            raise Invalid(
                f"Invalid input for field/attribute name. Value: {event.name}. {event.name!r} is not one of {known}"
            )

    def work(tx: Transaction) -> dict[str, Server | None]:
        return {event.server_uuid: servers.find(tx, event.server_uuid) for event in body.events}

    found = await call.read(work)
    told = [_outcome(event, found[event.server_uuid]) for event in body.events]
    lost = [
        (event.server_uuid, event.tag)
        for event, one in zip(body.events, told, strict=True)
        if event.name == "network-vif-deleted" and event.tag is not UNSET and one["code"] == 200
    ]
    if lost:
        await call.write(lambda tx: _lose(tx, lost))
        for reconciler in ("network_changes", CARDS):
            call.means.poke(reconciler)
    status = 200 if all(one["code"] == 200 for one in told) else 207
    return Reply({"events": told}, status=status)


def _lose(tx: Transaction, cards: list[tuple[str, str]]) -> None:
    for server_id, port_id in cards:
        interfaces.lose(tx, server_id, port_id)


def _outcome(event: Event, server: Server | None) -> dict[str, Any]:
    code = 200
    if server is None or server.deleted:
        code = 404
    elif event.name in TAG_REQUIRED and event.tag is UNSET:
        code = 400
    elif server.host is None:
        code = 422
    trace.note("external_event", server=event.server_uuid, event=event.name, tag=event.tag or None, code=code)
    document: dict[str, Any] = {
        "name": event.name,
        "server_uuid": event.server_uuid,
        "status": "completed" if code == 200 else "failed",
        "code": code,
    }
    return document if event.tag is UNSET else {**document, "tag": event.tag}


routes = [Post("/os-server-external-events", create, policy=POLICY, allow=ADMIN_OR_SERVICE)]
