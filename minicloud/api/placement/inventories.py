"""/resource_providers/{uuid}/inventories: how much of each resource class a provider has."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.placement.exchange import answer, document, expect_json, location, newest, require_json
from minicloud.api.placement.shapes import Number, Shape, Text, Thing, Whole
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base.errors import NotFound
from minicloud.core.placement import inventories, resource_providers
from minicloud.core.placement.inventories import Inventory, Stocked
from minicloud.core.placement.names import LARGEST
from minicloud.core.placement.resource_providers import ResourceProvider
from minicloud.core.policy import ADMIN_OR_SERVICE
from minicloud.core.records import Transaction

POLICY = "placement:resource_providers:inventories"
CLASS = "^[A-Z0-9_]+$"
AMOUNTS: dict[str, Shape] = {
    "resource_provider_generation": Whole(),
    "total": Whole(least=1, most=LARGEST),
    "reserved": Whole(least=0, most=LARGEST),
    "min_unit": Whole(least=1, most=LARGEST),
    "max_unit": Whole(least=1, most=LARGEST),
    "step_size": Whole(least=1, most=LARGEST),
    "allocation_ratio": Number(most=3.40282e38),
}
RECORD = Thing(fields=AMOUNTS, required=("total",))
ALL = Thing(
    fields={
        "resource_provider_generation": Whole(),
        "inventories": Thing(keys=CLASS, values=RECORD, strict=False),
    },
    required=("resource_provider_generation", "inventories"),
)
NEW = Thing(fields={**AMOUNTS, "resource_class": Text(pattern=CLASS)}, required=("total", "resource_class"))
ONE_OF_GENERATION = Thing(fields=AMOUNTS, required=("total", "resource_provider_generation"))


async def index(call: Call, provider_id: str) -> Any:
    expect_json(call)

    def read(tx: Transaction) -> tuple[ResourceProvider, list[Inventory]]:
        return _provider(tx, provider_id), inventories.of_provider(tx, provider_id)

    provider, found = await call.read(read)
    return _all(call, provider, found)


async def create(call: Call, provider_id: str, body: bytes) -> Any:
    require_json(call, body)

    def write(tx: Transaction) -> tuple[ResourceProvider, Inventory]:
        resource_providers.get(tx, provider_id)
        data = document(call, body, NEW)
        name, stocked = data["resource_class"], stocked_of(data)
        inventories.check_capacity(provider_id, {name: stocked}, may_be_empty=call.at_least("1.26"), because="create")
        return inventories.add(tx, provider_id, name, stocked)

    provider, made = await call.write(write)
    where = location(call, f"/resource_providers/{provider_id}/inventories/{made.resource_class}")
    return answer(call, _one(made, provider), modified=made.updated_at, where=where)


async def replace(call: Call, provider_id: str, body: bytes) -> Any:
    require_json(call, body)

    def write(tx: Transaction) -> tuple[ResourceProvider, list[Inventory]]:
        provider = resource_providers.get(tx, provider_id)
        data = document(call, body, ALL)
        stocked = {name: stocked_of(one) for name, one in data["inventories"].items()}
        generation = data["resource_provider_generation"]
        resource_providers.expect_generation(provider, generation, inventories.OTHER_GENERATION)
        inventories.check_capacity(provider_id, stocked, may_be_empty=call.at_least("1.26"))
        return inventories.set_all(tx, provider_id, stocked, generation=generation)

    provider, found = await call.write(write)
    return _all(call, provider, found)


async def delete_all(call: Call, provider_id: str) -> None:
    await call.write(lambda tx: inventories.delete_all(tx, provider_id))


async def show(call: Call, provider_id: str, resource_class: str) -> Any:
    expect_json(call)

    def read(tx: Transaction) -> tuple[ResourceProvider, Inventory]:
        return _provider(tx, provider_id), inventories.get(tx, provider_id, resource_class)

    provider, found = await call.read(read)
    return answer(call, _one(found, provider), modified=found.updated_at)


async def update(call: Call, provider_id: str, resource_class: str, body: bytes) -> Any:
    require_json(call, body)

    def write(tx: Transaction) -> tuple[ResourceProvider, Inventory]:
        provider = resource_providers.get(tx, provider_id)
        data = document(call, body, ONE_OF_GENERATION)
        stocked = stocked_of(data)
        generation = data["resource_provider_generation"]
        resource_providers.expect_generation(provider, generation, inventories.OTHER_GENERATION)
        inventories.check_capacity(provider_id, {resource_class: stocked}, may_be_empty=call.at_least("1.26"))
        return inventories.update(tx, provider_id, resource_class, stocked, generation=generation)

    provider, found = await call.write(write)
    return answer(call, _one(found, provider), modified=found.updated_at)


async def delete(call: Call, provider_id: str, resource_class: str) -> None:
    await call.write(lambda tx: inventories.delete(tx, provider_id, resource_class))


def stocked_of(data: dict[str, Any]) -> Stocked:
    """An inventory as core takes it; what the document leaves out has upstream's defaults."""
    return Stocked(**{name: data[name] for name in Stocked.__struct_fields__ if name in data})


def _provider(tx: Transaction, provider_id: str) -> ResourceProvider:
    """The provider, with the words that reading its inventories has for a missing one."""
    try:
        return resource_providers.get(tx, provider_id)
    except NotFound as error:
        raise NotFound(f"No resource provider with uuid {provider_id} found : {error.message}") from error


def _amounts(found: Inventory) -> dict[str, Any]:
    return {
        "total": found.total,
        "reserved": found.reserved,
        "min_unit": found.min_unit,
        "max_unit": found.max_unit,
        "step_size": found.step_size,
        "allocation_ratio": found.allocation_ratio,
    }


def _one(found: Inventory, provider: ResourceProvider) -> dict[str, Any]:
    return {**_amounts(found), "resource_provider_generation": provider.generation}


def _all(call: Call, provider: ResourceProvider, found: list[Inventory]) -> Any:
    shown = {
        "resource_provider_generation": provider.generation,
        "inventories": {one.resource_class: _amounts(one) for one in found},
    }
    return answer(call, shown, modified=newest(*(one.updated_at for one in found)))


HERE = "/resource_providers/{provider_id}/inventories"
ONE = f"{HERE}/{{resource_class}}"
routes = [
    Get(HERE, index, policy=f"{POLICY}:list", allow=ADMIN_OR_SERVICE),
    Post(HERE, create, policy=f"{POLICY}:create", allow=ADMIN_OR_SERVICE, status=201),
    Put(HERE, replace, policy=f"{POLICY}:update", allow=ADMIN_OR_SERVICE),
    Delete(HERE, delete_all, policy=f"{POLICY}:delete", allow=ADMIN_OR_SERVICE, since="1.5"),
    Get(ONE, show, policy=f"{POLICY}:show", allow=ADMIN_OR_SERVICE),
    Put(ONE, update, policy=f"{POLICY}:update", allow=ADMIN_OR_SERVICE),
    Delete(ONE, delete, policy=f"{POLICY}:delete", allow=ADMIN_OR_SERVICE),
]
