"""/allocations and the allocations of a provider: who has how much of what."""

import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

from minicloud.api.call import Call, Reply
from minicloud.api.placement.exchange import answer, document, expect_json, newest, require_json
from minicloud.api.placement.shapes import UUID, WHOLE_OR_NULL, Many, Shape, Text, Thing, Whole
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.base.ids import is_uuid
from minicloud.core.placement import allocations, resource_providers
from minicloud.core.placement.allocations import Allocation, Consumer, Wish
from minicloud.core.placement.resource_providers import CONCURRENT, ResourceProvider
from minicloud.core.placement.usages import UNKNOWN
from minicloud.core.policy import ADMIN_OR_SERVICE
from minicloud.core.records import Transaction

POLICY = "placement:allocations"
ID = "^[0-9a-fA-F-]{36}$"
OWNER = Text(least=1, most=255)
AMOUNTS = Thing(keys="^[A-Z0-9_]+$", values=Whole(least=1), least=1)
AS_LIST = Many(
    of=Thing(
        fields={"resource_provider": Thing(fields={"uuid": UUID}, required=("uuid",)), "resources": AMOUNTS},
        required=("resource_provider", "resources"),
    ),
    least=1,
)


async def of_consumer(call: Call, consumer_id: str) -> Any:
    expect_json(call)
    consumer, found = await call.read(lambda tx: allocations.of_consumer(tx, consumer_id))
    shown: dict[str, Any] = {"allocations": {}}
    for one in found:
        of = shown["allocations"].setdefault(one.provider_id, {"resources": {}, "generation": one.generation})
        of["resources"][one.resource_class] = one.used
    if consumer is not None and found:
        for name, since, value in (
            ("project_id", "1.12", consumer.project_id),
            ("user_id", "1.12", consumer.user_id),
            ("consumer_generation", "1.28", consumer.generation),
            ("consumer_type", "1.38", consumer.consumer_type or UNKNOWN),
        ):
            if call.at_least(since):
                shown[name] = value
    return answer(call, shown, modified=newest(*(one.created_at for one in found)))


async def of_provider(call: Call, provider_id: str) -> Any:
    expect_json(call)

    def read(tx: Transaction) -> tuple[ResourceProvider, dict[str, Consumer], list[Allocation]]:
        try:
            provider = resource_providers.get(tx, provider_id)
        except NotFound as error:
            raise NotFound(f"Resource provider '{provider_id}' not found: {error.message}") from error
        return provider, *allocations.of_provider(tx, provider_id)

    provider, consumers, found = await call.read(read)
    by_consumer: dict[str, Any] = {}
    for one in found:
        of = by_consumer.setdefault(one.consumer_id, {"resources": {}})
        of["resources"][one.resource_class] = one.used
        if call.at_least("1.28"):
            of["consumer_generation"] = consumers[one.consumer_id].generation
    shown = {"allocations": by_consumer, "resource_provider_generation": provider.generation}
    return answer(call, shown, modified=newest(*(one.created_at for one in found)))


async def replace(call: Call, consumer_id: str, body: bytes) -> Any:
    require_json(call, body)
    if not is_uuid(consumer_id):
        raise Invalid(f"Malformed consumer_uuid: {consumer_id}")
    data = document(call, body, shape_of_one(call, empty=call.at_least("1.28")))
    wish = wish_of(call, consumer_id, data)

    def write(tx: Transaction) -> None:
        try:
            allocations.replace(tx, [wish])
        except NotFound as error:
            raise Invalid(f"Unable to allocate inventory for consumer {consumer_id}: {error.message}") from error
        except Conflict as error:
            raise refused(error) from error

    await call.write(write)
    return Reply(None, status=204)


async def replace_several(call: Call, body: bytes) -> Any:
    data = document(call, body, shape_of_several(call))
    wishes = [wish_of(call, consumer_id, one) for consumer_id, one in data.items()]

    def write(tx: Transaction) -> None:
        try:
            allocations.replace(tx, wishes)
        except NotFound as error:
            raise Invalid(f"Unable to allocate inventory {error.message}") from error
        except Conflict as error:
            raise refused(error) from error

    await call.write(write)
    return Reply(None, status=204)


async def delete(call: Call, consumer_id: str) -> None:
    def write(tx: Transaction) -> None:
        allocations.require_some(tx, consumer_id)
        allocations.free(tx, consumer_id)

    await call.write(write)


def shape_of_one(call: Call, *, empty: bool) -> Thing:
    """What is said of one consumer, at a version."""
    if not call.at_least("1.12"):
        owned: dict[str, Shape] = {"project_id": OWNER, "user_id": OWNER} if call.at_least("1.8") else {}
        return Thing(fields={"allocations": AS_LIST, **owned}, required=("allocations", *owned))
    of_provider = Thing(fields={"generation": Whole(), "resources": AMOUNTS}, required=("resources",))
    fields: dict[str, Shape] = {
        "allocations": Thing(keys=ID, values=of_provider, least=0 if empty else 1),
        "project_id": OWNER,
        "user_id": OWNER,
    }
    required = list(fields)
    if call.at_least("1.28"):
        fields["consumer_generation"] = WHOLE_OR_NULL
        required.append("consumer_generation")
    if call.at_least("1.34"):
        fields["mappings"] = Thing(keys="[a-zA-Z0-9_-]{1,64}", values=Many(of=UUID, least=1), least=1, strict=False)
    if call.at_least("1.38"):
        fields["consumer_type"] = Text(pattern="^[A-Z0-9_]+$", least=1, most=255)
        required.append("consumer_type")
    return Thing(fields=fields, required=required)


def shape_of_several(call: Call, *, least: int = 1) -> Thing:
    """The same for many consumers by their ids."""
    return Thing(keys=ID, values=shape_of_one(call, empty=True), least=least)


def wish_of(call: Call, consumer_id: str, data: Mapping[str, Any]) -> Wish:
    """What a consumer is to have, from the document of any version. Before 1.8 nobody says whose it is."""
    wanted = data["allocations"]
    if isinstance(wanted, list):
        amounts: dict[str, dict[str, int]] = {}
        for one in wanted:
            amounts.setdefault(one["resource_provider"]["uuid"], {}).update(one["resources"])
    else:
        amounts = {provider_id: one["resources"] for provider_id, one in wanted.items()}
    nobody = "00000000-0000-0000-0000-000000000000"
    return Wish(
        consumer_id=str(uuid.UUID(consumer_id)) if is_uuid(consumer_id) else consumer_id,
        project_id=data.get("project_id", nobody),
        user_id=data.get("user_id", nobody),
        allocations=amounts,
        consumer_type=data.get("consumer_type"),
        generation=data["consumer_generation"] if call.at_least("1.28") else msgspec.UNSET,
    )


def refused(error: Conflict) -> Conflict:
    """A refusal in the API's words; who came second with a consumer has them already."""
    if error.kind == CONCURRENT:
        return error
    return Conflict(f"Unable to allocate inventory: {error.message}", kind=error.kind, **error.detail)


ONE = "/allocations/{consumer_id}"
routes = [
    Get(ONE, of_consumer, policy=f"{POLICY}:list", allow=ADMIN_OR_SERVICE),
    Put(ONE, replace, policy=f"{POLICY}:update", allow=ADMIN_OR_SERVICE, status=204),
    Delete(ONE, delete, policy=f"{POLICY}:delete", allow=ADMIN_OR_SERVICE),
    Post("/allocations", replace_several, policy=f"{POLICY}:manage", allow=ADMIN_OR_SERVICE, since="1.13", status=204),
    Get(
        "/resource_providers/{provider_id}/allocations",
        of_provider,
        policy="placement:resource_providers:allocations:list",
        allow=ADMIN_OR_SERVICE,
    ),
]
