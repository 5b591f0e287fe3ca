"""Flavor access over HTTP: the projects that may use a flavor that is not public."""

from typing import Any

from minicloud.api.bodies import Body, Name
from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.routes import Action, Get
from minicloud.base.errors import Conflict, NotFound
from minicloud.core.compute import flavors, quotas
from minicloud.core.compute.flavors import Flavor
from minicloud.core.policy import ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:os-flavor-access"


class TenantAccess(Body):
    """The body of addTenantAccess and removeTenantAccess."""

    tenant: Name


def _listed(tx: Transaction, flavor: Flavor) -> dict[str, Any]:
    return {
        "flavor_access": [
            {"flavor_id": flavor.flavorid, "tenant_id": project} for project in flavors.access(tx, flavor)
        ]
    }


async def index(call: Call, flavor_id: str) -> Any:
    """The projects that may use the flavor."""
    queries.only(call, since="2.102")

    def work(tx: Transaction) -> dict[str, Any]:
        flavor = flavors.get(tx, call.context, flavor_id)
        if flavor.is_public:
            raise NotFound("Access list not available for public flavors.")
        return _listed(tx, flavor)

    return await call.read(work)


async def add(call: Call, flavor_id: str, body: TenantAccess) -> Any:
    """One project more."""

    def work(tx: Transaction) -> dict[str, Any]:
        quotas.require_project(tx, body.tenant)
        flavor = flavors.get(tx, call.context, flavor_id)
        if flavor.is_public and call.at_least("2.7"):
            raise Conflict("Can not add access to a public flavor.")
        flavors.add_access(tx, flavor, body.tenant)
        return _listed(tx, flavor)

    return await call.write(work)


async def remove(call: Call, flavor_id: str, body: TenantAccess) -> Any:
    """One project less; it need not exist any more."""

    def work(tx: Transaction) -> dict[str, Any]:
        flavor = flavors.get(tx, call.context, flavor_id)
        flavors.remove_access(tx, flavor, body.tenant)
        return _listed(tx, flavor)

    return await call.write(work)


_PATH = "/flavors/{flavor_id}/action"

routes = [
    Get("/flavors/{flavor_id}/os-flavor-access", index, policy=POLICY, allow=ADMIN),
    Action("addTenantAccess", add, path=_PATH, policy=f"{POLICY}:add_tenant_access", allow=ADMIN, status=200),
    Action("removeTenantAccess", remove, path=_PATH, policy=f"{POLICY}:remove_tenant_access", allow=ADMIN, status=200),
]
