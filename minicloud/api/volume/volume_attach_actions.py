"""The old way to attach volumes (POST /volumes/{id}/action): reserve, attach, detach, connections, and back out of each."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec

from minicloud.api.bodies import UUID, Body, convert
from minicloud.api.call import Call
from minicloud.api.routes import Action
from minicloud.api.volume.attachments import refuse_servers
from minicloud.api.volume.volume_actions import PATH
from minicloud.base.errors import Invalid
from minicloud.conductor.volume.places import place_of
from minicloud.core.policy import ADMIN, PROJECT_MEMBER_OR_ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import attachments, old_attachments, qos_specs, volumes
from minicloud.core.volume.volumes import Volume

POLICY = "volume_extension:volume_actions"


class Attach(Body):
    """The body of ``os-attach``."""

    mountpoint: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    instance_uuid: UUID | None = None
    host_name: Annotated[str, msgspec.Meta(max_length=255)] | None = None
    mode: Literal["rw", "ro"] = "rw"


class Detach(Body):
    """The body of ``os-detach``."""

    attachment_id: UUID | None = None


class ForceDetach(Body):
    """The body of ``os-force_detach``."""

    connector: Any = None
    attachment_id: str | None = None


class Connection(Body):
    """The body of ``os-initialize_connection`` and ``os-terminate_connection``."""

    connector: dict[str, Any] | str | None


def _simple(work: Callable[[Transaction, Volume], None]) -> Callable[..., Any]:
    async def act(call: Call, volume_id: str) -> None:
        await call.write(lambda tx: work(tx, volumes.get(tx, call.context, volume_id)))

    return act


async def attach(call: Call, volume_id: str, body: Attach) -> None:
    """Somebody has it."""
    if body.instance_uuid is None and body.host_name is None:
        raise Invalid(
            "Invalid input for field/attribute os-attach. 'instance_uuid' or 'host_name' is a required property"
        )

    def work(tx: Transaction) -> None:
        volume = volumes.get(tx, call.context, volume_id)
        old_attachments.attach(
            tx,
            volume,
            server_id=body.instance_uuid,
            host=body.host_name,
            mountpoint=body.mountpoint,
            mode=body.mode,
        )

    await call.write(work)


async def detach(call: Call, volume_id: str, body: bytes) -> None:
    """Nobody has it any more, or not by this attachment; a body of null says no more than that."""
    wanted = convert(msgspec.json.decode(body)["os-detach"] or {}, Detach)

    def work(tx: Transaction) -> None:
        volume = volumes.get(tx, call.context, volume_id)
        refuse_servers(tx, old_attachments.which(tx, volume, wanted.attachment_id))
        old_attachments.detach(tx, volume, wanted.attachment_id)

    await call.write(work)


async def force_detach(call: Call, volume_id: str, body: ForceDetach) -> None:
    """An administrator ends an attachment that went wrong."""

    def work(tx: Transaction) -> None:
        volume = volumes.get(tx, call.context, volume_id)
        refuse_servers(tx, old_attachments.which(tx, volume, body.attachment_id))
        old_attachments.detach(tx, volume, body.attachment_id)

    await call.write(work)


async def initialize(call: Call, volume_id: str, body: Connection) -> Any:
    """How somebody reaches it."""
    volume = await call.read(lambda tx: volumes.get(tx, call.context, volume_id))
    if volume.status == volumes.MAINTENANCE:
        raise volumes.refused("The volume connection cannot be initialized in maintenance mode.")
    if not isinstance(body.connector, dict):
        raise Invalid("Invalid input received: Connector is not an object")
    place = await place_of(call.world, volume)
    limits = await call.read(lambda tx: qos_specs.of_guest(tx, volume))
    info = attachments.connection_info(volume, place, "ro" if volume.readonly else "rw", None, limits)
    return {"connection_info": {**info, "enforce_multipath": body.connector.get("enforce_multipath", False)}}


async def terminate(call: Call, volume_id: str, body: Connection) -> None:
    """They do not reach it any more."""

    def work(tx: Transaction) -> None:
        volume = volumes.get(tx, call.context, volume_id)
        own = attachments.of_volume(tx, volume.id)
        if len(own) == 1:
            refuse_servers(tx, own[0])
        old_attachments.unreserve(tx, volume)

    await call.write(work)


reserve, unreserve = _simple(old_attachments.reserve), _simple(old_attachments.unreserve)
begin_detaching, roll_detaching = _simple(old_attachments.begin_detaching), _simple(old_attachments.roll_detaching)


def _member(name: str) -> dict[str, Any]:
    return {"path": PATH, "policy": f"{POLICY}:{name}", "allow": PROJECT_MEMBER_OR_ADMIN}


routes = [
    Action("os-attach", attach, **_member("attach")),
    Action("os-detach", detach, **_member("detach")),
    Action("os-reserve", reserve, **_member("reserve")),
    Action("os-unreserve", unreserve, **_member("unreserve")),
    Action("os-begin_detaching", begin_detaching, **_member("begin_detaching")),
    Action("os-roll_detaching", roll_detaching, **_member("roll_detaching")),
    Action("os-initialize_connection", initialize, status=200, **_member("initialize_connection")),
    Action("os-terminate_connection", terminate, **_member("terminate_connection")),
    Action(
        "os-force_detach",
        force_detach,
        path=PATH,
        policy="volume_extension:volume_admin_actions:force_detach",
        allow=ADMIN,
    ),
]
