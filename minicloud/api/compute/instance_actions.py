"""What was done to a server, and how it went (``/servers/{id}/os-instance-actions``)."""

from typing import Annotated, Any

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.compute.server_views import host_id_of
from minicloud.api.listing import Listing, since, until
from minicloud.api.microversions import Since
from minicloud.api.routes import Get
from minicloud.core.compute import actions, servers
from minicloud.core.compute.actions import ActionEvent, InstanceAction
from minicloud.core.compute.servers import Server
from minicloud.core.policy import ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:os-instance-actions"


class ActionView(Body):
    """An action in a listing."""

    action: str
    instance_uuid: str
    request_id: str
    user_id: str
    project_id: str
    start_time: str
    message: str | None
    updated_at: Annotated[str, Since("2.58")]


ACTIONS = Listing(
    name="instanceActions",
    sort=[("started_at", True), ("id", True)],
    filters={"changes-since": since("updated_at"), "changes-before": until("updated_at")},
    links_when_full=True,
)


async def index(call: Call, server_id: str) -> Any:
    """A server's actions, newest first; since 2.21 also those of a deleted one; in pages since 2.58."""
    if not call.at_least("2.58"):
        found = await call.read(lambda tx: actions.of_server(tx, _server(tx, call, server_id).id))
        return {"instanceActions": [_view(action) for action in found]}
    before = ["changes-before"] if call.at_least("2.66") else []
    queries.only(call, "limit", "marker", "changes-since", *before, since="2.58")
    page = call.page
    queries.check_period(call)

    def work(tx: Transaction) -> list[InstanceAction]:
        return actions.page(tx, _server(tx, call, server_id).id, page.query)

    found, more = page.cut(await call.read(work))
    document: dict[str, Any] = {"instanceActions": [_view(action) for action in found]}
    if more:
        document["links"] = [{"rel": "next", "href": page.next_url(found[-1].request_id)}]
    return document


async def show(call: Call, server_id: str, request_id: str) -> Any:
    """One action with its events; before 2.51 only administrators saw them."""
    queries.only(call, since="2.102")

    def work(tx: Transaction) -> tuple[Server, InstanceAction, list[ActionEvent]]:
        server = _server(tx, call, server_id)
        action = actions.by_request(tx, server.id, request_id)
        return server, action, actions.events(tx, action.id)

    server, action, events = await call.read(work)
    document: dict[str, Any] = {
        name: getattr(_view(action), name)
        for name in ("action", "instance_uuid", "request_id", "user_id", "project_id", "start_time", "message")
    }
    if call.at_least("2.58"):
        document["updated_at"] = action.updated_at
    insider = call.allows(f"{POLICY}:events")
    if insider or call.at_least("2.51"):
        document["events"] = [_event(call, server, event, insider) for event in events]
    return {"instanceAction": document}


def _server(tx: Transaction, call: Call, server_id: str) -> Server:
    server = servers.find(tx, server_id)
    if server is None or not call.context.sees(server.project_id) or (server.deleted and not call.at_least("2.21")):
        raise Server.missing(server_id)
    return server


def _view(action: InstanceAction) -> ActionView:
    return ActionView(
        action=action.action,
        instance_uuid=action.server_id,
        request_id=action.request_id,
        user_id=action.user_id,
        project_id=action.project_id,
        start_time=action.started_at,
        message=action.message,
        updated_at=action.updated_at,
    )


def _event(call: Call, server: Server, event: ActionEvent, insider: bool) -> dict[str, Any]:
    document: dict[str, Any] = {
        "event": event.event,
        "start_time": event.started_at,
        "finish_time": event.finished_at,
        "result": event.result,
    }
    if insider or not call.at_least("2.51"):
        document["traceback"] = event.traceback
    if call.at_least("2.62"):
        document["hostId"] = "" if event.host is None else host_id_of(server.project_id, event.host)
        if insider:
            document["host"] = event.host
    if call.at_least("2.84") and call.allows(f"{POLICY}:events:details"):
        document["details"] = event.details if event.result == "Error" else None
    return document


routes = [
    Get("/servers/{server_id}/os-instance-actions", index, policy=f"{POLICY}:list", allow=PROJECT_READER_OR_ADMIN, listing=ACTIONS),
    Get(
        "/servers/{server_id}/os-instance-actions/{request_id}",
        show,
        policy=f"{POLICY}:show",
        allow=PROJECT_READER_OR_ADMIN,
        extra=[(f"{POLICY}:events", ADMIN), (f"{POLICY}:events:details", ADMIN)],
    ),
]  # fmt: skip
