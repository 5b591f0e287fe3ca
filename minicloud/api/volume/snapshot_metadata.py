"""The metadata that users give a snapshot (``/snapshots/{id}/metadata``)."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.api.volume import values
from minicloud.api.volume.volume_metadata import Meta, Metadata, item
from minicloud.base.errors import NotFound
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import snapshots


async def index(call: Call, snapshot_id: str) -> Any:
    """All items."""
    return {"metadata": (await call.read(lambda tx: snapshots.get(tx, call.context, snapshot_id))).metadata}


async def show(call: Call, snapshot_id: str, key: str) -> Any:
    """One item."""
    metadata = (await call.read(lambda tx: snapshots.get(tx, call.context, snapshot_id))).metadata
    if key not in metadata:
        raise _missing(snapshot_id, key)
    return {"meta": {key: metadata[key]}}


async def create(call: Call, snapshot_id: str, body: Metadata) -> Any:
    """Set items, keeping the others."""
    return {"metadata": await _set(call, snapshot_id, values.metadata(body.metadata), keep=True)}


async def update_all(call: Call, snapshot_id: str, body: Metadata) -> Any:
    """Set items, dropping the others."""
    return {"metadata": await _set(call, snapshot_id, values.metadata(body.metadata), keep=False)}


async def update(call: Call, snapshot_id: str, key: str, body: Meta) -> Any:
    """Set one item."""
    wanted = item(body.meta, key)
    await _set(call, snapshot_id, wanted, keep=True)
    return {"meta": wanted}


async def delete(call: Call, snapshot_id: str, key: str) -> None:
    """Take one item away."""

    def work(tx: Transaction) -> None:
        snapshot = snapshots.get(tx, call.context, snapshot_id)
        if key not in snapshot.metadata:
            raise _missing(snapshot_id, key)
        left = {name: value for name, value in snapshot.metadata.items() if name != key}
        snapshots.change(tx, snapshot, metadata=left)

    await call.write(work)


async def _set(call: Call, snapshot_id: str, wanted: dict[str, str], *, keep: bool) -> dict[str, str]:
    def work(tx: Transaction) -> dict[str, str]:
        snapshot = snapshots.get(tx, call.context, snapshot_id)
        return snapshots.change(tx, snapshot, metadata={**snapshot.metadata, **wanted} if keep else wanted).metadata

    return await call.write(work)


def _missing(snapshot_id: str, key: str) -> NotFound:
    return NotFound(f"Snapshot {snapshot_id} has no metadata with key {key}.")


_ALL, _ONE = "/snapshots/{snapshot_id}/metadata", "/snapshots/{snapshot_id}/metadata/{key}"
_GET, _SET, _DELETE = (f"volume:{verb}_snapshot_metadata" for verb in ("get", "update", "delete"))
routes = [
    Get(_ALL, index, policy=_GET, allow=PROJECT_READER_OR_ADMIN),
    Post(_ALL, create, policy=_SET, allow=PROJECT_MEMBER_OR_ADMIN),
    Put(_ALL, update_all, policy=_SET, allow=PROJECT_MEMBER_OR_ADMIN),
    Get(_ONE, show, policy=_GET, allow=PROJECT_READER_OR_ADMIN),
    Put(_ONE, update, policy=_SET, allow=PROJECT_MEMBER_OR_ADMIN),
    Delete(_ONE, delete, policy=_DELETE, allow=PROJECT_MEMBER_OR_ADMIN, status=200),
]
