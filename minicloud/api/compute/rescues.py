"""Rescuing servers (the actions rescue and unrescue): booting another image with the old disk behind it."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import UUID
from minicloud.api.call import Call
from minicloud.api.routes import Action
from minicloud.base.errors import Invalid
from minicloud.conductor.compute.rescue_server import RescueServer, UnrescueServer
from minicloud.core.compute import rescues, servers
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN
from minicloud.core.records import Transaction


class _Wish(msgspec.Struct, forbid_unknown_fields=True):
    password: str | UnsetType = msgspec.field(name="adminPass", default=UNSET)
    image_ref: UUID | UnsetType = msgspec.field(name="rescue_image_ref", default=UNSET)


class _Rescue(msgspec.Struct, forbid_unknown_fields=True):
    rescue: _Wish | None


async def rescue(call: Call, server_id: str, body: bytes) -> Any:
    """Promise the rescue; the answer tells the password."""
    try:
        wish = msgspec.json.decode(body, type=_Rescue).rescue or _Wish()
    except msgspec.ValidationError as error:
        raise Invalid(f"Invalid input for field/attribute rescue. {error}", kind="body") from error
    password = wish.password or servers.new_password()

    def work(tx: Transaction) -> None:
        before, server, action_id, image = rescues.ask(
            tx, call.context, server_id, wish.image_ref or None, password, from_volume=call.at_least("2.87")
        )
        claimed = server.task_state or ""
        call.begin(
            tx,
            RescueServer(server_id=server.id, action_id=action_id, claimed=claimed, was=before.vm_state, rescue=image),
        )

    await call.write(work)
    return {"adminPass": password}


async def unrescue(call: Call, server_id: str) -> None:
    """Promise that it runs from its own disks again."""

    def work(tx: Transaction) -> None:
        server, action_id = servers.take(tx, call.context, server_id, "unrescue")
        call.begin(tx, UnrescueServer(server_id=server.id, action_id=action_id, claimed=server.task_state or ""))

    await call.write(work)


routes = [
    Action("rescue", rescue, policy="os_compute_api:os-rescue", allow=PROJECT_MEMBER_OR_ADMIN, status=200),
    Action("unrescue", unrescue, policy="os_compute_api:os-unrescue", allow=PROJECT_MEMBER_OR_ADMIN),
]
