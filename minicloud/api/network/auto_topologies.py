"""/auto-allocated-topology: a network to the outside for a project that needs one and has none."""

from typing import Any

from minicloud.api.call import Call, Reply
from minicloud.api.network import guard
from minicloud.api.routes import Delete, Get
from minicloud.base.errors import Invalid
from minicloud.core.network import auto_topologies
from minicloud.core.records import Transaction

DRY_RUN = "dry-run"


async def show(call: Call, project_id: str) -> Any:
    """The network of a project, made now if need be; or only whether it could be (``fields=dry-run``)."""
    owner = auto_topologies.owner(call.context, project_id)
    guard.permit_seeing(call, "get_auto_allocated_topology", _target(owner))
    fields = [value for name, value in call.parameters if name == "fields" and value]
    if DRY_RUN in fields:
        await call.read(auto_topologies.check)
        return _answer("dry-run=pass", owner)
    if fields:
        raise Invalid("Bad auto_allocate request: Unrecognized field.", kind="BadRequest")

    def work(tx: Transaction) -> str:
        return auto_topologies.ensure(tx, owner)

    return _answer(await guard.write(call, work), owner)


async def delete(call: Call, project_id: str) -> Any:
    """Take away what was made for a project."""
    owner = auto_topologies.owner(call.context, project_id)
    guard.permit(call, "delete_auto_allocated_topology", _target(owner))
    await guard.write(call, lambda tx: auto_topologies.delete(tx, owner))
    return Reply()


def _answer(network_id: str, owner: str) -> dict[str, Any]:
    return {"auto_allocated_topology": {"id": network_id, "tenant_id": owner, "project_id": owner}}


def _target(owner: str) -> dict[str, str]:
    return {"project_id": owner, "tenant_id": owner}


_PATH = "/auto-allocated-topology/{project_id}"

routes = [
    Get(_PATH, show, policy="get_auto_allocated_topology", allow=guard.ADMIN_OR_READER, late=True),
    Delete(_PATH, delete, policy="delete_auto_allocated_topology", allow=guard.ADMIN_OR_MEMBER, late=True),
]
