"""What is done to snapshots (POST /snapshots/{id}/action): set a status, delete by force."""

from typing import Annotated

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.routes import Action
from minicloud.api.volume.snapshots import remove
from minicloud.base.errors import Invalid
from minicloud.core.policy import ADMIN, PROJECT_MEMBER_OR_ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import resets, snapshots

POLICY = "volume_extension:snapshot_admin_actions"
PATH = "/snapshots/{snapshot_id}/action"
_ALLOWED = {
    snapshots.CREATING: (snapshots.CREATING, snapshots.AVAILABLE, snapshots.ERROR),
    snapshots.DELETING: (snapshots.DELETING, snapshots.ERROR_DELETING),
}


class ResetStatus(Body):
    """The body of ``os-reset_status``."""

    status: str


class UpdateStatus(Body):
    """The body of ``os-update_snapshot_status``: how far somebody else, who takes the snapshot, has come."""

    status: str
    progress: Annotated[str, msgspec.Meta(pattern=r"^(0|100|[1-9]?[0-9])%$")] | None = None


async def reset_status(call: Call, snapshot_id: str, body: ResetStatus) -> None:
    """Write a status down, whatever the snapshot is really in."""
    await call.write(lambda tx: resets.reset_snapshot(tx, snapshots.get(tx, call.context, snapshot_id), body.status))


async def update_status(call: Call, snapshot_id: str, body: UpdateStatus) -> None:
    """A snapshot that is being taken or deleted has come further."""

    def work(tx: Transaction) -> None:
        snapshot = snapshots.get(tx, call.context, snapshot_id)
        allowed = _ALLOWED.get(snapshot.status)
        if allowed is None:
            raise Invalid(f"Snapshot status {snapshot.status} not allowed for update_snapshot_status")
        if body.status not in allowed:
            raise Invalid(
                f"Provided snapshot status {body.status} not allowed for snapshot with status {snapshot.status}."
            )
        snapshots.move(tx, snapshot, body.status, progress=body.progress or snapshot.progress)

    await call.write(work)


async def force_delete(call: Call, snapshot_id: str) -> None:
    """Delete it in whatever status it is."""
    await remove(call, snapshot_id, force=True)


routes = [
    Action("os-reset_status", reset_status, path=PATH, policy=f"{POLICY}:reset_status", allow=ADMIN),
    Action("os-force_delete", force_delete, path=PATH, policy=f"{POLICY}:force_delete", allow=ADMIN),
    Action(
        "os-update_snapshot_status",
        update_status,
        path=PATH,
        policy="snapshot_extension:snapshot_actions:update_snapshot_status",
        allow=PROJECT_MEMBER_OR_ADMIN,
    ),
]
