"""Domains: the roots of projects, users and groups. A domain is a row of ``projects`` that acts as one."""

from typing import Any

from minicloud.base.errors import Forbidden, NotFound
from minicloud.core import records
from minicloud.core.identity import projects, wording
from minicloud.core.identity.projects import Project
from minicloud.core.records import Condition, Query
from minicloud.engines.database import Transaction

DEFAULT = "default"
"""The id of the domain that is meant when a request names none."""


def find(tx: Transaction, domain_id: str | None) -> Project | None:
    """The domain with this id, or None."""
    found = records.find(tx, Project, domain_id)
    return found if found is not None and found.is_domain else None


def get(tx: Transaction, domain_id: str) -> Project:
    """The domain with this id. Raises NotFound."""
    found = find(tx, domain_id)
    if found is None:
        raise NotFound(f"Could not find domain: {domain_id}.")
    return found


def find_by_name(tx: Transaction, name: str) -> Project | None:
    """The domain of that name."""
    found = records.select(tx, Project, "name = ? AND is_domain = 1", [name])
    return found[0] if found else None


def called(tx: Transaction, name: str) -> Project | None:
    """The domain that is meant by a name: of that very name, or else of one that differs in case alone.

    Keystone leaves the comparison to its database, which is MySQL nearly everywhere, and clients say ``default`` as often as
    ``Default``.
    """
    exact = find_by_name(tx, name)
    if exact is not None:
        return exact
    found = records.select(tx, Project, "lower(name) = ? AND is_domain = 1 ORDER BY name", [name.lower()])
    return found[0] if found else None


def page(tx: Transaction, query: Query) -> list[Project]:
    """One page of domains."""
    query.where.append(Condition("is_domain", "=", True))
    return records.page(tx, Project, query)


def update(tx: Transaction, domain_id: str, changes: dict[str, Any], extra: dict[str, Any]) -> Project:
    """Change a domain. Disabling it revokes the tokens of everyone in it. Raises NotFound, Forbidden, Conflict."""
    get(tx, domain_id)
    return projects.update(tx, domain_id, changes, extra)


def delete(tx: Transaction, domain_id: str) -> None:
    """Remove a disabled domain with all that it holds. Raises NotFound, Forbidden (enabled, or immutable)."""
    domain = get(tx, domain_id)
    wording.keep_immutable_alive("domain", domain.id, domain.options)
    if domain.enabled:
        raise Forbidden("Cannot delete a domain that is enabled, please disable it first.")
    projects.forget_tokens(tx, domain)
    for project in reversed(projects.subtree(tx, domain_id)):
        projects.remove(tx, project)
    tx.execute(
        "DELETE FROM role_assignments WHERE actor_type = 'user' AND actor_id IN (SELECT id FROM users WHERE domain_id = ?)",
        [domain_id],
    )
    tx.execute(
        "DELETE FROM role_assignments WHERE actor_type = 'group' "
        "AND actor_id IN (SELECT id FROM user_groups WHERE domain_id = ?)",
        [domain_id],
    )
    tx.execute("DELETE FROM user_groups WHERE domain_id = ?", [domain_id])
    tx.execute("DELETE FROM credentials WHERE user_id IN (SELECT id FROM users WHERE domain_id = ?)", [domain_id])
    tx.execute("DELETE FROM users WHERE domain_id = ?", [domain_id])
    tx.execute("DELETE FROM roles WHERE domain_id = ?", [domain_id])
    projects.remove(tx, domain)
