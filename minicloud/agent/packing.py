"""Disks that move from one host to another: through the blob store, as no host knows another one's files."""

from functools import partial

from minicloud.agent import calls, move_calls
from minicloud.base import trace
from minicloud.base.errors import Conflict
from minicloud.drivers.storage import Storage
from minicloud.engines.blobs import Blobs

_COPY = "disk.packed"


async def ensure_packed(storage: Storage, blobs: Blobs, server_id: str, prefix: str) -> list[move_calls.PackedDisk]:
    """The disks that a guest writes to lie in the store; what is not there any more (a config drive) is made anew elsewhere."""
    packed = []
    for disk in await storage.disks(server_id):
        if disk.format != "qcow2" or disk.name.startswith(_COPY):
            continue
        blob, copy = f"{prefix}-{disk.name}", f"{_COPY}{disk.name.removeprefix('disk').replace('.', '-')}"
        with trace.span("pack_disk", disk=disk.name, blob=blob):
            try:
                await storage.ensure_copy(server_id, copy, disk.name)
                await blobs.put(blob, storage.content(server_id, copy))
            except Conflict:
                # It was packed before: the machine is off, and nothing has changed since.
                pass
            finally:
                await storage.ensure_no_disk(server_id, copy)
        packed.append(move_calls.PackedDisk(name=disk.name, blob=blob))
    return packed


async def ensure_unpacked(storage: Storage, blobs: Blobs, server: calls.ServerSpec) -> None:
    """The disks that came from elsewhere are there."""
    for disk in server.packed:
        with trace.span("unpack_disk", disk=disk.name, blob=disk.blob):
            await storage.ensure_unpacked(server.id, disk.name, partial(blobs.get, disk.blob))
