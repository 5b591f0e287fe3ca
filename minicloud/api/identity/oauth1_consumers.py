"""Consumers of OAuth 1.0a (OS-OAUTH1): programs that may ask users for access."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.identity import documents, lists, views
from minicloud.api.identity.targets import ADMIN, ADMIN_OR_SYSTEM_READER
from minicloud.api.identity.views import View
from minicloud.api.routes import Delete, Get, Patch, Post
from minicloud.base.errors import Invalid
from minicloud.core import records
from minicloud.core.identity import oauth1
from minicloud.core.identity.oauth1 import Consumer
from minicloud.core.records import Transaction

CONSUMERS = lists.listing("consumers", {}, sort="id")


class ConsumerDocument(Body, open=True):
    """A document with a consumer."""

    consumer: dict[str, Any] = {}


class ConsumerFields(msgspec.Struct):
    """What a consumer has by the API's definition; anything else is kept as it comes."""

    description: Annotated[str, msgspec.Meta(max_length=64_000)] | UnsetType | None = UNSET


def view(call: Call, found: Consumer) -> View:
    """A consumer without its secret."""
    return {
        **found.extra,
        "id": found.id,
        "description": found.description,
        "links": views.links(call, f"/OS-OAUTH1/consumers/{found.id}"),
    }


async def index(call: Call) -> View:
    """``GET /v3/OS-OAUTH1/consumers``"""
    return await lists.show(call, oauth1.consumers, view)


async def create(call: Call, body: ConsumerDocument) -> View:
    """``POST /v3/OS-OAUTH1/consumers``: the only time at which the secret is told."""
    fields, extra = documents.read(ConsumerFields, body.consumer) if body.consumer else ({}, {})
    made = await call.write(lambda tx: oauth1.create_consumer(tx, fields.get("description"), extra))
    return {"consumer": {**view(call, made), "secret": made.secret}}


async def show(call: Call, consumer_id: str) -> View:
    """``GET /v3/OS-OAUTH1/consumers/{consumer_id}``"""
    return {"consumer": view(call, await call.read(lambda tx: records.get(tx, Consumer, consumer_id)))}


async def update(call: Call, consumer_id: str, body: ConsumerDocument) -> View:
    """``PATCH /v3/OS-OAUTH1/consumers/{consumer_id}``: anything but the secret."""
    if "secret" in body.consumer:
        raise Invalid("The secret of a consumer cannot be changed", kind="body")
    fields, extra = documents.read(ConsumerFields, body.consumer)
    documents.require_same_id(body.consumer, consumer_id)
    made = await call.write(lambda tx: oauth1.update_consumer(tx, consumer_id, fields, extra))
    return {"consumer": view(call, made)}


async def delete(call: Call, consumer_id: str) -> None:
    """``DELETE /v3/OS-OAUTH1/consumers/{consumer_id}``: and with it all that it was let have."""

    def remove(tx: Transaction) -> None:
        oauth1.delete_consumer(tx, consumer_id)
        tx.after_commit(call.means.forget_tokens)

    await call.write(remove)


_ALL, _ONE = "/OS-OAUTH1/consumers", "/OS-OAUTH1/consumers/{consumer_id}"

routes = [
    Get(_ALL, index, policy="identity:list_consumers", allow=ADMIN_OR_SYSTEM_READER, listing=CONSUMERS),
    Post(_ALL, create, policy="identity:create_consumer", allow=ADMIN, status=201),
    Get(_ONE, show, policy="identity:get_consumer", allow=ADMIN_OR_SYSTEM_READER),
    Patch(_ONE, update, policy="identity:update_consumer", allow=ADMIN),
    Delete(_ONE, delete, policy="identity:delete_consumer", allow=ADMIN),
]
