"""Messages to users over HTTP: why what was promised came to nothing."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.routes import Delete, Get
from minicloud.api.volume import lists
from minicloud.api.volume.lists import Resource
from minicloud.api.volume.volume_views import links
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import messages
from minicloud.core.volume.messages import Message

MESSAGES = Resource(
    name="message",
    collection="messages",
    filters=("resource_uuid", "resource_type", "event_id", "request_id", "message_level"),
    columns={
        name: name
        for name in ("id", "event_id", "resource_uuid", "resource_type", "request_id", "message_level", "created_at")
    },
)


def view(call: Call, found: Message) -> dict[str, Any]:
    """A message as clients see it."""
    return {
        "id": found.id,
        "event_id": found.event_id,
        "user_message": found.text,
        "message_level": found.message_level,
        "created_at": found.created_at,
        "guaranteed_until": found.expires_at,
        "request_id": found.request_id,
        "links": links(call, "messages", found.id),
        "resource_type": found.resource_type,
        "resource_uuid": found.resource_uuid,
    }


async def index(call: Call) -> Any:
    """The project's messages."""
    wanted = lists.read(call, MESSAGES)
    found = await call.read(lambda tx: lists.page(tx, wanted, messages.page, Message, messages.find))
    shown = [view(call, one) for one in found]
    return lists.document(call, MESSAGES, wanted, shown, [one.id for one in found], None)


async def show(call: Call, message_id: str) -> Any:
    """One message."""
    return {"message": view(call, await call.read(lambda tx: messages.get(tx, call.context, message_id)))}


async def delete(call: Call, message_id: str) -> None:
    """Forget a message."""

    def work(tx: Transaction) -> None:
        messages.delete(tx, messages.get(tx, call.context, message_id))

    await call.write(work)


routes = [
    Get("/messages", index, since="3.3", policy="message:get_all", allow=PROJECT_READER_OR_ADMIN),
    Get("/messages/{message_id}", show, since="3.3", policy="message:get", allow=PROJECT_READER_OR_ADMIN),
    Delete("/messages/{message_id}", delete, since="3.3", policy="message:delete", allow=PROJECT_MEMBER_OR_ADMIN),
]
