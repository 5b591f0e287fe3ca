"""Limits: how much a certain project or domain may have, in place of the registered limit."""

from typing import Any

from minicloud.base.errors import Conflict, Forbidden, Invalid
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.identity import domains, projects, registered_limits, wording
from minicloud.core.identity.projects import Project
from minicloud.core.identity.registered_limits import STRICT_TWO_LEVEL, Model
from minicloud.core.records import AnyOf, Condition, Query
from minicloud.engines.database import Transaction


class Limit(records.Record, kw_only=True):
    """A limit of a project or of a domain; ``resource_limit`` -1 is without limit."""

    TABLE = "limits"
    MISSING = "Could not find limit for {id}."

    id: str
    registered_limit_id: str = ""
    service_id: str
    region_id: str | None = None
    resource_name: str
    project_id: str | None = None
    domain_id: str | None = None
    resource_limit: int
    description: str | None = None


def page(tx: Transaction, context: Context, query: Query) -> list[Limit]:
    """One page of the limits that whoever asks may see: all, those in a domain, those of the own project."""
    if context.system_scope is None and not context.roles & {"admin", "service"}:
        if context.domain_id is not None:
            inside = [row[0] for row in tx.all("SELECT id FROM projects WHERE domain_id = ?", [context.domain_id])]
            query.where.append(
                AnyOf([Condition("domain_id", "=", context.domain_id), Condition("project_id", "in", inside)])
            )
        else:
            query.where.append(Condition("project_id", "=", context.project_id or ""))
    return records.page(tx, Limit, query)


def find(tx: Transaction, id: str) -> Limit | None:
    """The limit with this id, or None."""
    return records.find(tx, Limit, id)


def get(tx: Transaction, id: str) -> Limit:
    """The limit with this id. Raises NotFound."""
    return records.get(tx, Limit, id)


def owner(tx: Transaction, limit: Limit) -> Project | None:
    """The project or domain that a limit is for."""
    return records.find(tx, Project, limit.project_id or limit.domain_id)


def create(tx: Transaction, model: Model, wanted: list[Limit]) -> list[Limit]:
    """Add limits. Raises Invalid for what is not there, Forbidden without registered limit or against the model, Conflict."""
    made = []
    for limit in wanted:
        placed = _placed(tx, limit)
        registered = registered_limits.find(tx, placed.service_id, placed.region_id, placed.resource_name)
        if registered is None:
            raise Forbidden("Unable to create a limit that has no corresponding registered limit.")
        try:
            made.append(records.insert(tx, placed.with_(registered_limit_id=registered.id)))
        except Conflict as error:
            raise Conflict(
                "Conflict occurred attempting to store limit - Duplicate entry.", kind="duplicate"
            ) from error
    # All are written first, so that a domain and its projects may come in one document, in any order.
    for limit in made:
        _check_model(tx, model, limit)
    return made


def _placed(tx: Transaction, limit: Limit) -> Limit:
    """The limit with its owner found: the id of a domain may stand as that of a project."""
    registered_limits.check_place(tx, limit.service_id, limit.region_id, "limit")
    if (limit.project_id is None) == (limit.domain_id is None):
        raise Invalid("A limit is for exactly one of project_id and domain_id", kind="body")
    if limit.project_id is not None:
        project = records.find(tx, Project, limit.project_id)
        if project is None:
            raise wording.expecting("project_id", "limit")
        if project.is_domain:
            return limit.with_(project_id=None, domain_id=project.id)
    elif domains.find(tx, limit.domain_id) is None:
        raise wording.expecting("domain_id", "limit")
    return limit


def update(tx: Transaction, model: Model, id: str, changes: dict[str, Any]) -> Limit:
    """Change a limit. Raises NotFound, Forbidden against the model."""
    old = get(tx, id)
    new = records.change(tx, old, **changes) if changes else old
    _check_model(tx, model, new)
    return new


def delete(tx: Transaction, id: str) -> None:
    """Remove a limit. Raises NotFound."""
    records.remove(tx, get(tx, id))


def _check_model(tx: Transaction, model: Model, limit: Limit) -> None:
    """Raises Forbidden when a project would have more than its domain, in the model that has two levels."""
    if model is not STRICT_TWO_LEVEL:
        return
    if limit.project_id is not None:
        project = projects.get(tx, limit.project_id)
        fits = project.parent_id == project.domain_id
        above = _value(tx, limit, domain_id=project.domain_id)
        fits = fits and (above is None or above < 0 or 0 <= limit.resource_limit <= above)
    else:
        assert limit.domain_id is not None
        below = [_value(tx, limit, project_id=project.id) for project in projects.subtree(tx, limit.domain_id)]
        fits = limit.resource_limit < 0 or all(value is None or 0 <= value <= limit.resource_limit for value in below)
    if not fits:
        level = f"project_id: {limit.project_id}" if limit.project_id else f"domain_id: {limit.domain_id}"
        raise Forbidden(
            f"Invalid resource limit: The resource limit ({level}, resource_name: {limit.resource_name}, resource_limit: "
            f"{limit.resource_limit}, service_id: {limit.service_id}, region_id: {limit.region_id}) doesn't satisfy "
            "current hierarchy model.."
        )


def _value(tx: Transaction, like: Limit, *, project_id: str | None = None, domain_id: str | None = None) -> int | None:
    """The same resource's limit for another owner; a domain without one of its own has the registered limit."""
    found = records.select(
        tx,
        Limit,
        "registered_limit_id = ? AND COALESCE(project_id, '') = ? AND COALESCE(domain_id, '') = ?",
        [like.registered_limit_id, project_id or "", domain_id or ""],
    )
    if found:
        return found[0].resource_limit
    return None if domain_id is None else registered_limits.get(tx, like.registered_limit_id).default_limit
