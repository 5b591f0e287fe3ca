"""The encryption of a volume type over HTTP."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base.errors import NotFound
from minicloud.core.policy import ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import type_encryptions, types
from minicloud.core.volume.type_encryptions import TypeEncryption

POLICY = "volume_extension:volume_type_encryption"
Word = Annotated[str, msgspec.Meta(max_length=255)]
Bits = Annotated[int, msgspec.Meta(ge=0, le=(1 << 31) - 1)]


class EncryptionCreate(Body, wrap="encryption"):
    """The body of POST /types/{id}/encryption."""

    provider: Word
    control_location: Literal["front-end", "back-end"]
    cipher: Word | UnsetType | None = UNSET
    key_size: Bits | UnsetType | None = UNSET


class EncryptionUpdate(Body, wrap="encryption"):
    """The body of PUT /types/{id}/encryption/{encryption}."""

    provider: Word | UnsetType = UNSET
    control_location: Literal["front-end", "back-end"] | UnsetType = UNSET
    cipher: Word | UnsetType | None = UNSET
    key_size: Bits | UnsetType | None = UNSET


def view(found: TypeEncryption | None) -> dict[str, Any]:
    """The record as upstream shows it; nothing where there is none."""
    if found is None:
        return {}
    return {**msgspec.structs.asdict(found), "deleted": False, "deleted_at": None}


async def _find(call: Call, type_id: str) -> dict[str, Any]:
    def work(tx: Transaction) -> TypeEncryption | None:
        return type_encryptions.of(tx, types.by_id(tx, call.context, type_id).id)

    return view(await call.read(work))


async def index(call: Call, type_id: str) -> Any:
    """All of it."""
    return await _find(call, type_id)


async def show(call: Call, type_id: str, key: str) -> Any:
    """One value of it."""
    found = await _find(call, type_id)
    if key not in found:
        raise NotFound(f"Volume type encryption for type {type_id} does not exist.")
    return {key: found[key]}


async def create(call: Call, type_id: str, body: EncryptionCreate) -> Any:
    """The type's volumes shall be encrypted."""
    given = _given(body)
    made = await call.write(lambda tx: type_encryptions.create(tx, types.by_id(tx, call.context, type_id), **given))
    return {"encryption": {**given, "volume_type_id": made.volume_type_id, "encryption_id": made.encryption_id}}


async def update(call: Call, type_id: str, key: str, body: EncryptionUpdate) -> Any:
    """Change how. As upstream, whatever the last word of the path is: clients say ``provider``."""
    given = _given(body)
    await call.write(lambda tx: type_encryptions.change(tx, types.by_id(tx, call.context, type_id), **given))
    return {"encryption": given}


async def delete(call: Call, type_id: str, key: str) -> None:
    """The type's volumes shall be in the clear."""
    await call.write(lambda tx: type_encryptions.delete(tx, types.by_id(tx, call.context, type_id)))


def _given(body: Body) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(body).items() if value is not UNSET}


_ALL, _ONE = "/types/{type_id}/encryption", "/types/{type_id}/encryption/{key}"
routes = [
    Get(_ALL, index, policy=f"{POLICY}:get", allow=ADMIN),
    Post(_ALL, create, policy=f"{POLICY}:create", allow=ADMIN),
    Get(_ONE, show, policy=f"{POLICY}:get", allow=ADMIN),
    Put(_ONE, update, policy=f"{POLICY}:update", allow=ADMIN),
    Delete(_ONE, delete, policy=f"{POLICY}:delete", allow=ADMIN, status=202),
]
