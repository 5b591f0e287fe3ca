"""/resource_providers/{uuid}/aggregates: the groups that a provider is in."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.placement.exchange import answer, document, expect_json, require_json
from minicloud.api.placement.shapes import UUID, Many, Thing, Whole
from minicloud.api.routes import Get, Put
from minicloud.core.placement import aggregates, resource_providers
from minicloud.core.placement.resource_providers import ResourceProvider
from minicloud.core.policy import ADMIN_OR_SERVICE
from minicloud.core.records import Transaction

POLICY = "placement:resource_providers:aggregates"
IDS = Many(of=UUID, unique=True)
WITH_GENERATION = Thing(
    fields={"aggregates": IDS, "resource_provider_generation": Whole()},
    required=("aggregates", "resource_provider_generation"),
)


async def show(call: Call, provider_id: str) -> Any:
    expect_json(call)

    def read(tx: Transaction) -> tuple[ResourceProvider, list[str]]:
        return resource_providers.get(tx, provider_id), aggregates.of_provider(tx, provider_id)

    return _shown(call, *await call.read(read))


async def replace(call: Call, provider_id: str, body: bytes) -> Any:
    guarded = call.at_least("1.19")
    require_json(call, body)

    def write(tx: Transaction) -> tuple[ResourceProvider, list[str]]:
        resource_providers.get(tx, provider_id)
        data = document(call, body, WITH_GENERATION if guarded else IDS)
        ids = data["aggregates"] if guarded else data
        generation = data["resource_provider_generation"] if guarded else None
        return aggregates.set_of_provider(tx, provider_id, ids, generation=generation, move_on=guarded), ids

    return _shown(call, *await call.write(write))


def _shown(call: Call, provider: ResourceProvider, ids: list[str]) -> Any:
    shown: dict[str, Any] = {"aggregates": ids}
    if call.at_least("1.19"):
        shown["resource_provider_generation"] = provider.generation
    return answer(call, shown)


HERE = "/resource_providers/{provider_id}/aggregates"
routes = [
    Get(HERE, show, policy=f"{POLICY}:list", allow=ADMIN_OR_SERVICE, since="1.1"),
    Put(HERE, replace, policy=f"{POLICY}:update", allow=ADMIN_OR_SERVICE, since="1.1"),
]
