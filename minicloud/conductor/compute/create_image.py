"""Make an image of a server: a snapshot of its root disk on its host, sent to the store; as a backup it replaces older ones."""

from minicloud.agent import calls
from minicloud.agent.calls import Snapshot
from minicloud.base.errors import Gone
from minicloud.conductor.compute.taken import TakenServer, give_back, host_of, keep, while_taken
from minicloud.conductor.compute.woken import asked_if_up
from minicloud.conductor.step import Step, Steps
from minicloud.conductor.world import World
from minicloud.core import records
from minicloud.core.compute import server_images, servers
from minicloud.core.image import uploads
from minicloud.core.image.uploads import Received
from minicloud.engines.database import Transaction

LIMIT_S = 3600.0


class CreateImage(TakenServer):
    """``image_id`` waits for the bytes. ``rotation``: how many backups of its kind are kept; None for a snapshot."""

    image_id: str
    rotation: int | None = None
    upload_id: str | None = None
    taken: Snapshot | None = None
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


def give_up(tx: Transaction, saga: CreateImage, world: World) -> None:
    """The server as it was, and no image."""
    server_images.discard(tx, saga.image_id)
    give_back(tx, saga, world)


async def ensure_snapshot(saga: CreateImage, world: World) -> None:
    """The snapshot stands on the server's host."""
    message = calls.EnsureSnapshot(server_id=saga.server_id)
    host = await host_of(saga, world)
    await while_taken(saga, world, lambda: world.agents.ask(host, message, timeout_s=LIMIT_S))


async def ensure_no_snapshot(saga: CreateImage, world: World) -> None:
    """The host keeps no snapshot; one that is down removes it with the next one, or with the server."""
    await asked_if_up(saga, world, calls.EnsureNoSnapshot(server_id=saga.server_id))


def mark_uploading(tx: Transaction, saga: CreateImage, world: World) -> None:
    """The image waits for the bytes."""
    server = servers.living(tx, saga.server_id)
    saga.upload_id = tx.ids.uuid()
    server_images.begin_upload(tx, saga.image_id, server, saga.upload_id)
    _advance(tx, saga, "image_uploading")


async def ensure_uploaded(saga: CreateImage, world: World) -> None:
    """The bytes are in the store."""
    message = calls.EnsureSnapshotUploaded(server_id=saga.server_id, blob=saga.image_id)
    host = await host_of(saga, world)
    saga.taken = await while_taken(saga, world, lambda: world.agents.ask(host, message, timeout_s=LIMIT_S))


async def ensure_no_blob(saga: CreateImage, world: World) -> None:
    """No bytes are left."""
    await world.blobs.delete(saga.image_id)


def mark_active(tx: Transaction, saga: CreateImage, world: World) -> None:
    """The image may be used, the server is free, and too old backups are gone."""
    if saga.taken is None or saga.upload_id is None:
        raise Gone(f"The bytes of image {saga.image_id} were never received")
    told = saga.taken
    received = Received(size=told.size, virtual_size=told.virtual_size, md5=told.md5, sha512=told.sha512)
    uploads.finish(tx, saga.image_id, saga.upload_id, received)
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
