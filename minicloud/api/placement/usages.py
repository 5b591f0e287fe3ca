"""/usages and the usages of a provider: sums of allocations."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.placement.exchange import answer, expect_json, query
from minicloud.api.placement.shapes import Shape, Text, Thing
from minicloud.api.routes import Get
from minicloud.base.errors import NotFound
from minicloud.core.placement import resource_providers, usages
from minicloud.core.placement.resource_providers import ResourceProvider
from minicloud.core.policy import ADMIN_OR_SERVICE, PROJECT_READER
from minicloud.core.records import Transaction

OWNER = Text(least=1, most=255)


async def of_provider(call: Call, provider_id: str) -> Any:
    expect_json(call)

    def read(tx: Transaction) -> tuple[ResourceProvider, dict[str, int]]:
        try:
            provider = resource_providers.get(tx, provider_id)
        except NotFound as error:
            raise NotFound(f"No resource provider with uuid {provider_id} found: {error.message}") from error
        return provider, usages.of_provider(tx, provider_id)

    provider, found = await call.read(read)
    return answer(call, {"resource_provider_generation": provider.generation, "usages": found})


async def total(call: Call) -> Any:
    """What a project has. The policy is asked about that project, before anything is said of the query."""
    expect_json(call)
    call.judge({"project_id": call.parameter("project_id")})
    fields: dict[str, Shape] = {"project_id": OWNER, "user_id": OWNER}
    by_type = call.at_least("1.38")
    if by_type:
        fields["consumer_type"] = Text(pattern="^[A-Z0-9_]+$|^all|^unknown$", least=1, most=255)
    asked = query(call, Thing(fields=fields, required=("project_id",)))
    project_id, user_id = asked["project_id"], asked.get("user_id")
    if not by_type:
        return answer(call, {"usages": await call.read(lambda tx: usages.of_project(tx, project_id, user_id))})
    kind = asked.get("consumer_type")
    found = await call.read(lambda tx: usages.by_type(tx, project_id, user_id, kind))
    shown = {type_: {**usage.resources, "consumer_count": usage.consumer_count} for type_, usage in found.items()}
    return answer(call, {"usages": shown})


routes = [
    Get(
        "/resource_providers/{provider_id}/usages",
        of_provider,
        policy="placement:resource_providers:usages",
        allow=ADMIN_OR_SERVICE,
    ),
    Get(
        "/usages",
        total,
        policy="placement:usages",
        allow=f"({ADMIN_OR_SERVICE}) or ({PROJECT_READER})",
        since="1.9",
        late=True,
    ),
]
