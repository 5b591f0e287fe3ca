"""Make an image of a server: a snapshot of its root disk on its host, sent to the store; as a backup it replaces older ones."""

from minicloud.conductor.compute.imaged import (
    ImagedServer,
    begin_upload,
    ensure_no_blob,
    ensure_no_snapshot,
    ensure_snapshot,
    ensure_uploaded,
    finish_upload,
    give_up,
)
from minicloud.conductor.compute.taken import keep
from minicloud.conductor.step import Step, Steps
from minicloud.conductor.world import World
from minicloud.core import records
from minicloud.core.compute import server_images, servers
from minicloud.engines.database import Transaction


class CreateImage(ImagedServer):
    """``image_id`` waits for the bytes. ``rotation``: how many backups of its kind are kept; None for a snapshot."""

    rotation: int | None = None
    rotated: list[str] = []

    @classmethod
    def steps(cls) -> Steps["CreateImage"]:
        return [
            Step("claim", record=mark_pending, unrecord=give_up),
            Step("snapshot", act=ensure_snapshot, record=mark_uploading, undo=ensure_no_snapshot),
            Step("upload", act=ensure_uploaded, undo=ensure_no_blob),
            Step("publish", act=ensure_no_snapshot, record=mark_active),
            Step("rotate", act=ensure_rotated, final=True),
        ]


def mark_pending(tx: Transaction, saga: CreateImage, world: World) -> None:
    """The server is still taken for this, and shows how far it is."""
    keep(tx, saga, world)
    _advance(tx, saga, "image_pending_upload")


def mark_uploading(tx: Transaction, saga: CreateImage, world: World) -> None:
    """The image waits for the bytes."""
    server = servers.living(tx, saga.server_id)
    begin_upload(tx, saga, server)
    _advance(tx, saga, "image_uploading")


def mark_active(tx: Transaction, saga: CreateImage, world: World) -> None:
    """The image may be used, the server is free, and too old backups are gone."""
    finish_upload(tx, saga)
    if saga.rotation is not None:
        saga.rotated = server_images.rotate(tx, saga.image_id, saga.rotation)
    servers.settle(tx, saga.server_id, saga.action_id, saga.claimed)


async def ensure_rotated(saga: CreateImage, world: World) -> None:
    """No bytes of too old backups are left."""
    for image_id in saga.rotated:
        await world.blobs.delete(image_id)


def _advance(tx: Transaction, saga: CreateImage, task_state: str) -> None:
    """The task as clients see it goes on, unless the server was taken for something stronger."""
    server = servers.living(tx, saga.server_id)
    if server.task_state == saga.claimed:
        records.change(tx, server, task_state=task_state, updated_at=tx.now)
        saga.claimed = task_state
