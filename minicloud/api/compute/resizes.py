"""Another flavor, or another host while the guest is off (the actions resize, migrate), and the verdict on it (confirmResize, revertResize)."""

from typing import Annotated, Any, Literal

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.microversions import NotNull
from minicloud.api.routes import Action
from minicloud.base.errors import Invalid
from minicloud.conductor.compute.confirm_resize import ConfirmResize
from minicloud.conductor.compute.resize_server import ResizeServer
from minicloud.conductor.compute.revert_resize import RevertResize
from minicloud.core.compute import hosts, moves
from minicloud.core.policy import ADMIN, PROJECT_MANAGER_OR_ADMIN, PROJECT_MEMBER_OR_ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:servers"
MIGRATE = "os_compute_api:os-migrate-server"
HOST = r"^[a-zA-Z0-9-._]*\Z"
"""What the name of a host may look like."""


class Resize(Body):
    """The body of resize."""

    flavor_ref: Annotated[str, msgspec.Meta(min_length=1)] | int = msgspec.field(name="flavorRef")
    disk_config: Annotated[Literal["AUTO", "MANUAL"] | None, NotNull()] = msgspec.field(
        name="OS-DCF:diskConfig", default=None
    )


class MigrateBody(msgspec.Struct, forbid_unknown_fields=True):
    """What may stand in migrate since 2.56."""

    host: Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=HOST)] | None = None


class _Migrate(msgspec.Struct, forbid_unknown_fields=True):
    migrate: MigrateBody | None


def up(call: Call) -> moves.IsUp:
    """Whether a host's service reports, as it was last seen."""
    return hosts.up_unless(call.world.servicegroup.down)


async def resize(call: Call, server_id: str, body: Resize) -> None:
    """Promise another flavor."""

    def work(tx: Transaction) -> None:
        before, server, action_id, move = moves.resize(
            tx, call.context, server_id, str(body.flavor_ref), disk_config=body.disk_config, is_up=up(call)
        )
        assert before.host is not None
        ignored = [] if call.world.options.allow_resize_to_same_host else [before.host]
        call.begin(
            tx,
            ResizeServer(
                server_id=server.id,
                action_id=action_id,
                claimed=server.task_state or "",
                migration_id=move.uuid,
                ignored=ignored,
                source=before.host,
                was=before.vm_state,
            ),
        )

    await call.write(work)


async def migrate(call: Call, server_id: str, body: bytes) -> None:
    """Promise another host; since 2.56 it may be named."""
    host = _host(body) if call.at_least("2.56") else None
    if host is not None:
        call.enforce(f"{MIGRATE}:migrate:host")

    def work(tx: Transaction) -> None:
        before, server, action_id, move = moves.migrate(tx, call.context, server_id, host=host, is_up=up(call))
        assert before.host is not None
        call.begin(
            tx,
            ResizeServer(
                server_id=server.id,
                action_id=action_id,
                claimed=server.task_state or "",
                migration_id=move.uuid,
                destination=host,
                ignored=[before.host],
                source=before.host,
                was=before.vm_state,
            ),
        )

    await call.write(work)


def _host(body: bytes) -> str | None:
    try:
        found = msgspec.json.decode(body, type=_Migrate)
    except msgspec.ValidationError as error:
        raise Invalid(f"Invalid input for field/attribute migrate. {error}", kind="body") from error
    return None if found.migrate is None else found.migrate.host


async def confirm(call: Call, server_id: str) -> None:
    """It shall stay what it has become."""

    def work(tx: Transaction) -> Any:
        server, action_id, move = moves.confirm(tx, call.context, server_id, is_up=up(call))
        call.begin(tx, ConfirmResize(server_id=server.id, action_id=action_id, migration_id=move.uuid))

    await call.write(work)


async def revert(call: Call, server_id: str) -> None:
    """It shall be what it was."""

    def work(tx: Transaction) -> Any:
        server, action_id, move = moves.revert(tx, call.context, server_id)
        claimed = server.task_state or ""
        call.begin(tx, RevertResize(server_id=server.id, action_id=action_id, claimed=claimed, migration_id=move.uuid))

    await call.write(work)


routes = [
    Action("resize", resize, policy=f"{POLICY}:resize", allow=PROJECT_MEMBER_OR_ADMIN),
    Action("confirmResize", confirm, policy=f"{POLICY}:confirm_resize", allow=PROJECT_MEMBER_OR_ADMIN, status=204),
    Action("revertResize", revert, policy=f"{POLICY}:revert_resize", allow=PROJECT_MEMBER_OR_ADMIN),
    Action("migrate", migrate, policy=f"{MIGRATE}:migrate", allow=PROJECT_MANAGER_OR_ADMIN, extra=[(f"{MIGRATE}:migrate:host", ADMIN)]),
]  # fmt: skip
