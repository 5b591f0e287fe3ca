"""Evacuating servers from hosts that are down (the action evacuate)."""

from typing import Annotated, Any

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.call import Call, Reply
from minicloud.api.compute.resizes import HOST, up
from minicloud.api.compute.words import truth
from minicloud.api.microversions import NotNull, Since, Until
from minicloud.api.routes import Action
from minicloud.base.errors import Invalid
from minicloud.conductor.compute.evacuate_server import EvacuateServer
from minicloud.core.compute import lifecycle, moves, servers
from minicloud.core.policy import ADMIN
from minicloud.core.records import Transaction


class Evacuate(Body):
    """The body of evacuate."""

    host: Annotated[Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=HOST)] | None, NotNull()] = None
    admin_pass: Annotated[str | None, NotNull()] = msgspec.field(name="adminPass", default=None)
    on_shared_storage: Annotated[bool | str | None, Until("2.13")] = msgspec.field(name="onSharedStorage", default=None)
    force: Annotated[bool | str, Since("2.29"), Until("2.67")] = False


async def evacuate(call: Call, server_id: str, body: Evacuate) -> Any:
    """Promise another host; the answer told the password before 2.14."""
    told = not call.at_least("2.14")
    if told and body.on_shared_storage is None:
        raise Invalid(
            "Invalid input for field/attribute evacuate. 'onSharedStorage' is a required property", kind="body"
        )
    shared = told and truth("onSharedStorage", body.on_shared_storage)
    forced = truth("force", body.force)
    if forced and body.host is None:
        raise Invalid("Can't force to a non-provided destination")
    if shared and body.admin_pass is not None:
        raise Invalid("admin password can't be changed on existing disk")
    password = None if shared else body.admin_pass or servers.new_password()

    def work(tx: Transaction) -> None:
        before, server, action_id, move = moves.evacuate(
            tx, call.context, server_id, host=body.host, password=password, is_up=up(call)
        )
        assert before.host is not None
        stopped = before.vm_state == lifecycle.STOPPED or call.at_least("2.95")
        saga = EvacuateServer(
            server_id=server.id,
            action_id=action_id,
            claimed=server.task_state or "",
            migration_id=move.uuid,
            destination=body.host,
            # Before 2.29 a host that was named was taken without asking anybody.
            forced=body.host is not None and (forced or not call.at_least("2.29")),
            ignored=[before.host],
            source=before.host,
            target=lifecycle.STOPPED if stopped else lifecycle.ACTIVE,
            on_shared_storage=shared,
        )
        call.begin(tx, saga)

    await call.write(work)
    return {"adminPass": password} if told else Reply(None)


routes = [Action("evacuate", evacuate, policy="os_compute_api:os-evacuate", allow=ADMIN, status=200)]
