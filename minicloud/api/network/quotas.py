"""/quotas: what projects may have, what they have, and the defaults."""

from typing import Any

from minicloud.api.call import Call, Reply
from minicloud.api.network import guard, values
from minicloud.api.network.attributes import parse
from minicloud.api.routes import Delete, Get, Put
from minicloud.base.errors import Invalid
from minicloud.core.network import quotas
from minicloud.core.records import Transaction

_limit = values.number_in(-1, 2**31 - 1)


async def index(call: Call) -> Any:
    """The limits of all projects that have some of their own."""
    found = await call.read(quotas.overridden)
    return {"quotas": [{**limits, "tenant_id": project, "project_id": project} for project, limits in found.items()]}


async def project(call: Call) -> Any:
    """The project in scope."""
    return {"project": {"project_id": call.context.project_id}}


async def tenant(call: Call) -> Any:
    """The project in scope, in the old word."""
    return {"tenant": {"tenant_id": call.context.project_id}}


async def show(call: Call, project_id: str) -> Any:
    """A project's limits; anybody may read those of the own one."""
    _permit_reading(call, project_id)
    return {"quota": await call.read(lambda tx: quotas.of_project(tx, project_id))}


async def defaults(call: Call, project_id: str) -> Any:
    """What a project may have that has no limits of its own."""
    _permit_reading(call, project_id)
    return {"quota": quotas.DEFAULTS}


async def details(call: Call, project_id: str) -> Any:
    """A project's limits, and what it has."""
    _permit_reading(call, project_id)

    def load(tx: Transaction) -> dict[str, Any]:
        limits = quotas.of_project(tx, project_id)
        return {
            name: {"limit": most, "used": quotas.used(tx, project_id, name), "reserved": 0}
            for name, most in limits.items()
        }

    return {"quota": await call.read(load)}


async def update(call: Call, project_id: str, body: bytes) -> Any:
    """Set limits of a project."""
    guard.permit(call, "update_quota", {"project_id": call.context.project_id})
    given = parse(body).get("quota")
    if not isinstance(given, dict):
        raise Invalid("Unable to find 'quota' in request body", kind="HTTPBadRequest")
    wanted = {
        name: value for name, value in given.items() if name not in ("force", "check_limit", "tenant_id", "project_id")
    }
    unknown = [name for name in wanted if name not in quotas.DEFAULTS]
    if unknown:
        raise Invalid(f"Unrecognized attribute(s) '{', '.join(unknown)}'", kind="HTTPBadRequest")
    limits: dict[str, int] = {}
    for name, value in wanted.items():
        try:
            limits[name] = _limit(value)
        except ValueError as error:
            raise Invalid(f"Invalid input for {name}. Reason: {error}.", kind="HTTPBadRequest") from None

    def work(tx: Transaction) -> dict[str, int]:
        quotas.change(tx, project_id, limits, force=given.get("force") is True)
        return quotas.of_project(tx, project_id)

    return {"quota": await call.write(work)}


async def delete(call: Call, project_id: str) -> Any:
    """Back to the defaults."""
    await call.write(lambda tx: quotas.reset(tx, project_id))
    return Reply()


def _permit_reading(call: Call, project_id: str) -> None:
    call.judged = True
    if project_id != call.context.project_id:
        # Upstream asks about the caller's own project, which lets a manager read any project's limits; here nobody does.
        guard.permit(call, "get_quota", {"project_id": project_id})


_GET = f"({guard.ADMIN}) or (role:manager and project_id:%(project_id)s)"

routes = [
    Get("/quotas", index, policy="get_quota", allow=_GET),
    Get("/quotas/project", project, policy=None),
    Get("/quotas/tenant", tenant, policy=None),
    Get("/quotas/{project_id}", show, policy="get_quota", allow=_GET, late=True),
    Get("/quotas/{project_id}/default", defaults, policy="get_quota", allow=_GET, late=True),
    Get("/quotas/{project_id}/details.json", details, policy="get_quota", allow=_GET, late=True),
    Get("/quotas/{project_id}/details", details, policy="get_quota", allow=_GET, late=True),
    Put("/quotas/{project_id}", update, policy="update_quota", allow=guard.ADMIN, late=True),
    Delete("/quotas/{project_id}", delete, policy="delete_quota", allow=guard.ADMIN),
]
