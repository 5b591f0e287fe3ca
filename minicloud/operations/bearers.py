"""Who somebody would be, signed in: the context that a user's token would give, without one being made."""

import msgspec

from minicloud.base.errors import Conflict, NotFound
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.identity import assignments
from minicloud.core.identity.assignments import SYSTEM, Scope, domain_scope, project_scope
from minicloud.core.identity.projects import Project
from minicloud.core.identity.users import User
from minicloud.engines.database import Transaction


class Bearer(msgspec.Struct, frozen=True, kw_only=True):
    """A user in a scope, with the roles held there; ``where`` says the scope in words."""

    context: Context
    where: str


def bearer(
    tx: Transaction, *, user: str, project: str | None = None, domain: str | None = None, system: bool = False
) -> Bearer:
    """The bearer that a user would be in a project, a domain or the system (ids or names). Raises NotFound, Conflict."""
    found = _named(tx, User, user, "user")
    scope: Scope | None = None
    place: Project | None = None
    where = "without scope"
    if project is not None:
        place = _named(tx, Project, project, "project")
        scope, where = project_scope(place.id), f"in project {place.name}"
    elif domain is not None:
        place = _named(tx, Project, domain, "domain", is_domain=True)
        scope, where = domain_scope(place.id), f"in domain {place.name}"
    elif system:
        scope, where = SYSTEM, "on the system"
    roles = [] if scope is None else assignments.effective_roles(tx, found.id, scope)
    names = frozenset(role.name.lower() for role in roles)
    return Bearer(
        context=Context(
            user_id=found.id,
            user_name=found.name,
            user_domain_id=found.domain_id,
            project_id=place.id if place is not None and project is not None else None,
            project_name=place.name if place is not None and project is not None else None,
            project_domain_id=place.domain_id if place is not None and project is not None else None,
            domain_id=place.id if place is not None and domain is not None else None,
            system_scope="all" if system and project is None and domain is None else None,
            roles=names,
            is_admin="admin" in names,
        ),
        where=where,
    )


def _named(tx: Transaction, kind: type[records.R], text: str, what: str, *, is_domain: bool = False) -> records.R:
    found = records.find(tx, kind, text)
    if found is not None:
        return found
    if kind is Project:
        rows = records.select(tx, kind, "name = ? AND is_domain = ? ORDER BY id", [text, is_domain])
    else:
        rows = records.select(tx, kind, "name = ? ORDER BY id", [text])
    if not rows:
        raise NotFound(f"There is no {what} {text}")
    if len(rows) > 1:
        raise Conflict(f"There are {len(rows)} {what}s called {text}: name it by its id")
    return rows[0]
