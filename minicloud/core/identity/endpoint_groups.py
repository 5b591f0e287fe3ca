"""What of the catalog a project sees: single endpoints, and groups of endpoints described by filters."""

from typing import Any

from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.identity import projects
from minicloud.core.identity.catalog import Endpoint
from minicloud.core.identity.projects import Project
from minicloud.core.records import Query
from minicloud.engines.database import Transaction

FILTERS = ("interface", "service_id", "region_id")


class EndpointGroup(records.Record, kw_only=True):
    """All endpoints that have what ``filters`` say."""

    TABLE = "endpoint_groups"
    MISSING = "Could not find Endpoint Group: {id}."

    id: str
    name: str
    description: str | None = None
    filters: dict[str, Any] = {}


def page(tx: Transaction, query: Query) -> list[EndpointGroup]:
    """One page of groups."""
    return records.page(tx, EndpointGroup, query)


def get(tx: Transaction, id: str) -> EndpointGroup:
    """The group with this id. Raises NotFound."""
    return records.get(tx, EndpointGroup, id)


def check_filters(filters: dict[str, Any]) -> None:
    """Raises Invalid for a filter that is none."""
    if not set(filters) <= set(FILTERS):
        raise Invalid(
            "Expecting to find service_id or region_id or interface in endpoint_group. The server could not comply with "
            "the request since it is either malformed or otherwise incorrect. The client is assumed to be in error."
        )


def update(tx: Transaction, id: str, changes: dict[str, Any]) -> EndpointGroup:
    """Change a group; new filters stand in place of all old ones. Raises NotFound, Invalid."""
    old = get(tx, id)
    if "filters" in changes:
        check_filters(changes["filters"])
    return records.change(tx, old, **changes) if changes else old


def delete(tx: Transaction, id: str) -> None:
    """Remove a group. Raises NotFound."""
    records.remove(tx, get(tx, id))


def members(tx: Transaction, group: EndpointGroup) -> list[Endpoint]:
    """The endpoints of a group, by id."""
    return [
        endpoint
        for endpoint in records.select(tx, Endpoint, "1 = 1 ORDER BY id")
        if all(getattr(endpoint, name) == value for name, value in group.filters.items())
    ]


def groups_of(tx: Transaction, project_id: str) -> list[EndpointGroup]:
    """The groups that a project sees, by name. Raises NotFound."""
    projects.get(tx, project_id)
    return records.select(
        tx,
        EndpointGroup,
        "id IN (SELECT endpoint_group_id FROM project_endpoint_groups WHERE project_id = ?) ORDER BY name, id",
        [project_id],
    )


def projects_of(tx: Transaction, group_id: str) -> list[Project]:
    """The projects that see a group, by name. Raises NotFound."""
    get(tx, group_id)
    return records.select(
        tx,
        Project,
        "id IN (SELECT project_id FROM project_endpoint_groups WHERE endpoint_group_id = ?) ORDER BY name, id",
        [group_id],
    )


def _pair(tx: Transaction, group_id: str, project_id: str) -> list[str]:
    projects.get(tx, project_id)
    get(tx, group_id)
    return [group_id, project_id]


def add(tx: Transaction, group_id: str, project_id: str) -> None:
    """Let a project see a group. Raises NotFound, Conflict when it does already."""
    pair = _pair(tx, group_id, project_id)
    try:
        tx.execute("INSERT INTO project_endpoint_groups (endpoint_group_id, project_id) VALUES (?, ?)", pair)
    except Conflict as error:
        raise Conflict("Conflict occurred attempting to store project_endpoint_group - Duplicate entry.") from error


def require(tx: Transaction, group_id: str, project_id: str) -> None:
    """Raises NotFound when a project does not see a group."""
    pair = _pair(tx, group_id, project_id)
    if tx.one("SELECT 1 FROM project_endpoint_groups WHERE endpoint_group_id = ? AND project_id = ?", pair) is None:
        raise NotFound("Endpoint Group Project Association not found")


def remove(tx: Transaction, group_id: str, project_id: str) -> None:
    """Let a project no longer see a group. Raises NotFound."""
    require(tx, group_id, project_id)
    tx.execute(
        "DELETE FROM project_endpoint_groups WHERE endpoint_group_id = ? AND project_id = ?", [group_id, project_id]
    )


def endpoints_of(tx: Transaction, project_id: str) -> list[Endpoint]:
    """The endpoints that a project was given, by itself or in groups. Raises NotFound."""
    found = {
        endpoint.id: endpoint
        for endpoint in records.select(
            tx, Endpoint, "id IN (SELECT endpoint_id FROM project_endpoints WHERE project_id = ?)", [project_id]
        )
    }
    for group in groups_of(tx, project_id):
        found |= {endpoint.id: endpoint for endpoint in members(tx, group)}
    return [found[id] for id in sorted(found)]


def projects_with(tx: Transaction, endpoint_id: str) -> list[Project]:
    """The projects that were given an endpoint by itself, by name. Raises NotFound."""
    records.get(tx, Endpoint, endpoint_id)
    return records.select(
        tx,
        Project,
        "id IN (SELECT project_id FROM project_endpoints WHERE endpoint_id = ?) ORDER BY name, id",
        [endpoint_id],
    )


def add_endpoint(tx: Transaction, project_id: str, endpoint_id: str) -> None:
    """Give a project an endpoint. Raises NotFound, Conflict when it has it already."""
    projects.get(tx, project_id)
    records.get(tx, Endpoint, endpoint_id)
    try:
        tx.execute("INSERT INTO project_endpoints (project_id, endpoint_id) VALUES (?, ?)", [project_id, endpoint_id])
    except Conflict as error:
        raise Conflict("Conflict occurred attempting to store project_endpoint - Duplicate entry.") from error


def require_endpoint(tx: Transaction, project_id: str, endpoint_id: str) -> None:
    """Raises NotFound when a project was not given an endpoint by itself."""
    projects.get(tx, project_id)
    records.get(tx, Endpoint, endpoint_id)
    pair = [project_id, endpoint_id]
    if tx.one("SELECT 1 FROM project_endpoints WHERE project_id = ? AND endpoint_id = ?", pair) is None:
        raise NotFound(f"Endpoint {endpoint_id} not found in project {project_id}")


def remove_endpoint(tx: Transaction, project_id: str, endpoint_id: str) -> None:
    """Take an endpoint from a project. Raises NotFound."""
    require_endpoint(tx, project_id, endpoint_id)
    tx.execute("DELETE FROM project_endpoints WHERE project_id = ? AND endpoint_id = ?", [project_id, endpoint_id])
