"""Steps of sagas that make an image of a server's disk: a snapshot on the server's host, whose bytes go to the store."""

from minicloud.agent import calls
from minicloud.agent.calls import Snapshot
from minicloud.base.errors import Gone
from minicloud.conductor.compute.taken import TakenServer, give_back, host_of, while_taken
from minicloud.conductor.compute.woken import asked_if_up
from minicloud.conductor.world import World
from minicloud.core.compute import server_images
from minicloud.core.compute.servers import Server
from minicloud.core.image import uploads
from minicloud.core.image.uploads import Received
from minicloud.engines.database import Transaction

LIMIT_S = 3600.0


class ImagedServer(TakenServer, kw_only=True):
    """``image_id`` waits for the bytes; ``taken`` is what the host told of them."""

    image_id: str
    upload_id: str | None = None
    taken: Snapshot | None = None


def give_up(tx: Transaction, saga: ImagedServer, world: World) -> None:
    """The server as it was, and no image."""
    server_images.discard(tx, saga.image_id)
    give_back(tx, saga, world)


async def ensure_snapshot(saga: ImagedServer, world: World) -> None:
    """The snapshot stands on the server's host."""
    message = calls.EnsureSnapshot(server_id=saga.server_id)
    host = await host_of(saga, world)
    await while_taken(saga, world, lambda: world.agents.ask(host, message, timeout_s=LIMIT_S))


async def ensure_no_snapshot(saga: ImagedServer, world: World) -> None:
    """The host keeps no snapshot; one that is down removes it with the next one, or with the server."""
    await asked_if_up(saga, world, calls.EnsureNoSnapshot(server_id=saga.server_id))


def begin_upload(tx: Transaction, saga: ImagedServer, server: Server) -> None:
    """The image waits for the bytes."""
    saga.upload_id = tx.ids.uuid()
    server_images.begin_upload(tx, saga.image_id, server, saga.upload_id)


async def ensure_uploaded(saga: ImagedServer, world: World) -> None:
    """The bytes are in the store."""
    message = calls.EnsureSnapshotUploaded(server_id=saga.server_id, blob=saga.image_id)
    host = await host_of(saga, world)
    saga.taken = await while_taken(saga, world, lambda: world.agents.ask(host, message, timeout_s=LIMIT_S))


async def ensure_no_blob(saga: ImagedServer, world: World) -> None:
    """No bytes are left."""
    await world.blobs.delete(saga.image_id)


def finish_upload(tx: Transaction, saga: ImagedServer) -> None:
    """The image may be used. Raises Gone where its bytes never came."""
    if saga.taken is None or saga.upload_id is None:
        raise Gone(f"The bytes of image {saga.image_id} were never received")
    told = saga.taken
    received = Received(size=told.size, virtual_size=told.virtual_size, md5=told.md5, sha512=told.sha512)
    uploads.finish(tx, saga.image_id, saga.upload_id, received)
