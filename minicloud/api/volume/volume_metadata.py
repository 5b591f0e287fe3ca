"""The metadata that users give a volume (``/volumes/{id}/metadata``), with an ETag from 3.15 on."""

import hashlib
import json
import re
from typing import Any

from minicloud.api.bodies import Body
from minicloud.api.call import Call, Reply
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.api.volume import values
from minicloud.base.errors import Invalid, NotFound, PreconditionFailed
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import volumes


class Metadata(Body):
    """The body of POST and PUT of the collection."""

    metadata: dict[str, str]


class Meta(Body):
    """The body of PUT of one item."""

    meta: dict[str, str]


def etag(metadata: dict[str, str]) -> str:
    """Cinder's: the md5 of the document as Python's json writes it."""
    data = json.dumps({"metadata": metadata}).encode()
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def item(meta: dict[str, str], key: str) -> dict[str, str]:
    """The one item of a body that names this key. Raises Invalid."""
    if key not in meta:
        raise Invalid("Request body and URI mismatch")
    if len(meta) > 1:
        raise Invalid("Request body contains too many items")
    return values.metadata(meta)


async def index(call: Call, volume_id: str) -> Any:
    """All items."""
    metadata = (await call.read(lambda tx: volumes.get(tx, call.context, volume_id))).metadata
    if not call.at_least("3.15"):
        return {"metadata": metadata}
    return Reply({"metadata": metadata}, headers={"Etag": etag(metadata)})


async def show(call: Call, volume_id: str, key: str) -> Any:
    """One item."""
    volume = await call.read(lambda tx: volumes.get(tx, call.context, volume_id))
    if key not in volume.metadata:
        raise _missing(volume_id, key)
    return {"meta": {key: volume.metadata[key]}}


async def create(call: Call, volume_id: str, body: Metadata) -> Any:
    """Set items, keeping the others."""
    return {"metadata": await _set(call, volume_id, values.metadata(body.metadata), keep=True, checked=False)}


async def update_all(call: Call, volume_id: str, body: Metadata) -> Any:
    """Set items, dropping the others."""
    return {"metadata": await _set(call, volume_id, values.metadata(body.metadata), keep=False)}


async def update(call: Call, volume_id: str, key: str, body: Meta) -> Any:
    """Set one item."""
    wanted = item(body.meta, key)
    await _set(call, volume_id, wanted, keep=True)
    return {"meta": wanted}


async def delete(call: Call, volume_id: str, key: str) -> None:
    """Take one item away."""

    def work(tx: Transaction) -> None:
        volume = volumes.get(tx, call.context, volume_id)
        if key not in volume.metadata:
            raise _missing(volume_id, key)
        left = {name: value for name, value in volume.metadata.items() if name != key}
        volumes.set_metadata(tx, volume, left)

    await call.write(work)


async def _set(
    call: Call, volume_id: str, wanted: dict[str, str], *, keep: bool, checked: bool = True
) -> dict[str, str]:
    match = call.header("if-match") if checked and call.at_least("3.15") else None

    def work(tx: Transaction) -> dict[str, str]:
        volume = volumes.get(tx, call.context, volume_id)
        if match is not None and etag(volume.metadata) not in re.findall(r'[^\s",]+', match):
            raise PreconditionFailed("The metadata was changed since it was read")
        return volumes.set_metadata(tx, volume, {**volume.metadata, **wanted} if keep else wanted).metadata

    return await call.write(work)


def _missing(volume_id: str, key: str) -> NotFound:
    return NotFound(f"Volume {volume_id} has no metadata with key {key}.")


_ALL, _ONE = "/volumes/{volume_id}/metadata", "/volumes/{volume_id}/metadata/{key}"
routes = [
    Get(_ALL, index, policy="volume:get_volume_metadata", allow=PROJECT_READER_OR_ADMIN),
    Post(_ALL, create, policy="volume:create_volume_metadata", allow=PROJECT_MEMBER_OR_ADMIN),
    Put(_ALL, update_all, policy="volume:update_volume_metadata", allow=PROJECT_MEMBER_OR_ADMIN),
    Get(_ONE, show, policy="volume:get_volume_metadata", allow=PROJECT_READER_OR_ADMIN),
    Put(_ONE, update, policy="volume:update_volume_metadata", allow=PROJECT_MEMBER_OR_ADMIN),
    Delete(_ONE, delete, policy="volume:delete_volume_metadata", allow=PROJECT_MEMBER_OR_ADMIN, status=200),
]
