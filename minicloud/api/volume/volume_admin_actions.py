"""What administrators do to volumes: set a status, delete by force."""

from typing import Any

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.routes import Action
from minicloud.api.volume.volume_actions import PATH
from minicloud.api.volume.volumes import remove
from minicloud.core.policy import ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import resets, volumes

POLICY = "volume_extension:volume_admin_actions"


class ResetStatus(Body):
    """The body of ``os-reset_status``."""

    status: str | None = None
    attach_status: str | None = None
    migration_status: str | None = None


async def reset_status(call: Call, volume_id: str, body: ResetStatus) -> None:
    """Write a status down, whatever the volume is really in."""
    resets.check_volume(body.status, body.attach_status, body.migration_status)

    def work(tx: Transaction) -> None:
        volume = volumes.get(tx, call.context, volume_id)
        resets.reset_volume(tx, volume, body.status, body.attach_status, body.migration_status)

    await call.write(work)


async def force_delete(call: Call, volume_id: str) -> None:
    """Delete it in whatever status it is."""
    await remove(call, volume_id, force=True)


async def complete_extension(call: Call, volume_id: str) -> None:
    """No extension of this cloud waits for its completion: backends and hosts end it by themselves."""

    def work(tx: Transaction) -> None:
        volume = volumes.get(tx, call.context, volume_id)
        if volume.status != volumes.EXTENDING:
            raise volumes.refused("Volume is not being extended.")
        raise volumes.refused("Required volume admin metadata is malformed or missing.")

    await call.read(work)


def _admin(name: str) -> dict[str, Any]:
    return {"path": PATH, "policy": f"{POLICY}:{name}", "allow": ADMIN}


routes = [
    Action("os-reset_status", reset_status, **_admin("reset_status")),
    Action("os-extend_volume_completion", complete_extension, since="3.71", **_admin("extend_volume_completion")),
    Action("os-force_delete", force_delete, **_admin("force_delete")),
]
