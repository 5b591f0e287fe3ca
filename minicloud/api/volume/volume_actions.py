"""What is done to volumes by their owners (POST /volumes/{id}/action): grow, revert, read-only, bootable."""

from typing import Any

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.routes import Action
from minicloud.api.volume import values
from minicloud.api.volume.values import Flag, Size
from minicloud.conductor.volume.extend_volume import ExtendVolume
from minicloud.conductor.volume.revert_volume import RevertVolume
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import extensions, reverts, volumes

PATH = "/volumes/{volume_id}/action"


class Extend(Body):
    """The body of ``os-extend``."""

    new_size: Size


class Revert(Body, open=True):
    """The body of ``revert``."""

    snapshot_id: str | None = None


class Readonly(Body):
    """The body of ``os-update_readonly_flag``."""

    readonly: Flag


class Bootable(Body):
    """The body of ``os-set_bootable``."""

    bootable: Flag


async def extend(call: Call, volume_id: str, body: Extend) -> None:
    """Make it larger; one in use, too, from 3.42 on."""
    new_size = values.size("new_size", body.new_size)

    def work(tx: Transaction) -> None:
        volume = volumes.get(tx, call.context, volume_id)
        attached = call.at_least("3.42") and volume.status == volumes.IN_USE
        call.enforce("volume:extend_attached_volume" if attached else "volume:extend")
        before = volume.status
        extensions.take(tx, volume, new_size, attached=attached)
        call.begin(tx, ExtendVolume(volume_id=volume.id, new_size=new_size, back_to=before))

    await call.write(work)


async def revert(call: Call, volume_id: str, body: Revert) -> None:
    """Give it back what its newest snapshot holds."""

    def work(tx: Transaction) -> None:
        volume = volumes.get(tx, call.context, volume_id)
        snapshot = reverts.take(tx, volume, body.snapshot_id)
        call.begin(tx, RevertVolume(volume_id=volume.id, snapshot_id=snapshot.id))

    await call.write(work)


async def set_readonly(call: Call, volume_id: str, body: Readonly) -> None:
    """Whether servers may write to it."""
    readonly = values.truth("readonly", body.readonly)

    def work(tx: Transaction) -> None:
        volume = volumes.get(tx, call.context, volume_id)
        if volume.status != volumes.AVAILABLE:
            raise volumes.refused(
                f"Volume {volume.id} status must be available to update readonly flag, but current status is: "
                f"{volume.status}."
            )
        volumes.change(tx, volume, admin_metadata={**volume.admin_metadata, "readonly": str(readonly)})

    await call.write(work)


async def set_bootable(call: Call, volume_id: str, body: Bootable) -> None:
    """Whether servers may be booted from it."""
    bootable = values.truth("bootable", body.bootable)
    await call.write(lambda tx: volumes.update(tx, volumes.get(tx, call.context, volume_id), bootable=bootable))


def _member(name: str) -> dict[str, Any]:
    return {"path": PATH, "policy": name, "allow": PROJECT_MEMBER_OR_ADMIN}


routes = [
    Action("os-extend", extend, path=PATH, policy=None, extra=(("volume:extend", PROJECT_MEMBER_OR_ADMIN), ("volume:extend_attached_volume", PROJECT_MEMBER_OR_ADMIN))),
    Action("revert", revert, since="3.40", **_member("volume:revert_to_snapshot")),
    Action("os-update_readonly_flag", set_readonly, **_member("volume:update_readonly_flag")),
    Action("os-set_bootable", set_bootable, status=200, **_member("volume:update")),
]  # fmt: skip
