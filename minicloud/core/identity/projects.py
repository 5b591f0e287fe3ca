"""Projects: the things that own what the cloud holds; a tree under each domain, and the domains themselves (``is_domain``)."""

from typing import Any

import msgspec

from minicloud.base.errors import Conflict, Forbidden, Invalid, NotFound
from minicloud.core import records
from minicloud.core.identity import credentials, revocations, wording
from minicloud.core.records import Condition, Query
from minicloud.engines.database import Transaction

DEEPEST_TREE = 5
"""Levels of projects below a domain: Keystone's ``max_project_tree_depth``."""


class Project(records.Record, kw_only=True):
    """A project, or a domain. ``extra`` holds what clients wrote into it beyond the API's own fields."""

    TABLE = "projects"
    MISSING = "Could not find project: {id}."

    id: str
    name: str
    domain_id: str | None
    parent_id: str | None
    is_domain: bool = False
    enabled: bool = True
    description: str = ""
    tags: list[str] = []
    options: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    created_at: str = ""


def get(tx: Transaction, project_id: str) -> Project:
    """A project or a domain by its id. Raises NotFound."""
    return records.get(tx, Project, project_id)


def find_by_name(tx: Transaction, domain_id: str, name: str) -> Project | None:
    """The project of that name in a domain."""
    found = records.select(tx, Project, "domain_id = ? AND name = ? AND is_domain = 0", [domain_id, name])
    return found[0] if found else None


def create(tx: Transaction, project: Project) -> Project:
    """Add a project under its parent (its domain, where it names none).

    Raises Invalid when domain or parent do not fit or are not there, Forbidden when the tree would be too deep, Conflict
    when the name is taken.
    """
    project = project.with_(name=project.name.strip(), created_at=tx.now)
    if project.is_domain:
        if project.parent_id:
            raise Invalid("only root projects are allowed to act as domains.")
    else:
        project = project.with_(parent_id=project.parent_id or project.domain_id)
        _check_place(tx, project)
    return _store(tx, project)


def _store(tx: Transaction, project: Project) -> Project:
    try:
        return records.insert(tx, project)
    except Conflict as error:
        raise _taken(project) from error


def _taken(project: Project) -> Conflict:
    if project.is_domain:
        detail = f"it is not permitted to have two projects acting as domains with the same name: {project.name}"
    else:
        detail = (
            "it is not permitted to have two projects with either the same name or same id in the same domain: "
            f"name is {project.name}, project id {project.id}"
        )
    return Conflict(f"Conflict occurred attempting to store project - {detail}.", kind="duplicate")


def _check_place(tx: Transaction, project: Project) -> None:
    domain = records.find(tx, Project, project.domain_id)
    if domain is None or not domain.is_domain:
        raise Invalid(f"Could not find domain: {project.domain_id}.")
    parent = records.find(tx, Project, project.parent_id)
    if parent is None:
        raise Invalid(f"Could not find project: {project.parent_id}.")
    if parent.is_domain and parent.id != domain.id:
        raise Invalid(
            f"Cannot create project, the parent ({parent.id}) is acting as a domain, but this project's domain id "
            f"({domain.id}) does not match the parent's id."
        )
    if not parent.is_domain and parent.domain_id != domain.id:
        raise Invalid(
            f"Cannot create project, since it specifies its domain_id {domain.id}, but specifies a parent in a different "
            f"domain ({parent.domain_id})."
        )
    branch = [*parents(tx, parent), parent]
    for above in branch:
        if not above.enabled:
            raise Invalid(f"cannot create a project in a branch containing a disabled project: {above.id}")
    if len(branch) + 1 > DEEPEST_TREE + 1:
        raise Forbidden(f"Max hierarchy depth reached for {project.parent_id} branch.")


def parents(tx: Transaction, project: Project) -> list[Project]:
    """What a project stands under, the nearest first, the domain last."""
    found: list[Project] = []
    above = project.parent_id
    while above is not None:
        found.append(get(tx, above))
        above = found[-1].parent_id
    return found


def subtree(tx: Transaction, project_id: str) -> list[Project]:
    """Everything below a project, parents before their children."""
    found: list[Project] = []
    level = [project_id]
    while level:
        below = records.page(tx, Project, Query(where=[Condition("parent_id", "in", level)], sort=[("name", False)]))
        found += below
        level = [project.id for project in below]
    return found


def page(tx: Transaction, query: Query) -> list[Project]:
    """One page of projects."""
    return records.page(tx, Project, query)


def update(tx: Transaction, project_id: str, changes: dict[str, Any], extra: dict[str, Any]) -> Project:
    """Change a project that is no domain; ``extra`` is merged.

    Raises NotFound, Invalid, Forbidden (immutable, or enabling and disabling against the tree), Conflict.
    """
    old = get(tx, project_id)
    kind = "domain" if old.is_domain else "project"
    wording.keep_immutable_still(kind, old.id, old.options, {**changes, **extra})
    if changes.get("domain_id", old.domain_id) != old.domain_id:
        raise Invalid("Cannot change Domain ID")
    if changes.get("parent_id", old.parent_id) != old.parent_id:
        raise Forbidden("Update of `parent_id` is not allowed.")
    if changes.get("is_domain", old.is_domain) != old.is_domain:
        raise Invalid("Update of `is_domain` is not allowed.")
    if changes.get("enabled") is True and not old.enabled and not all(above.enabled for above in parents(tx, old)):
        raise Forbidden(f"Cannot enable project {project_id} since it has disabled parents")
    if changes.get("enabled") is False and old.enabled:
        if not old.is_domain and any(below.enabled for below in subtree(tx, project_id)):
            raise Forbidden(f"Cannot disable project {project_id} since its subtree contains enabled projects.")
        forget_tokens(tx, old)
    if "name" in changes:
        changes["name"] = changes["name"].strip()
    if "options" in changes:
        changes["options"] = wording.with_options(old.options, changes["options"])
    if "description" in changes:
        changes["description"] = changes["description"] or ""
    if extra:
        changes["extra"] = {**old.extra, **extra}
    if not changes:
        return old
    try:
        return records.change(tx, old, **changes)
    except Conflict as error:
        raise _taken(msgspec.structs.replace(old, name=changes.get("name", old.name))) from error


def forget_tokens(tx: Transaction, project: Project) -> None:
    """Revoke what is scoped to a project, or to a domain and its users."""
    if project.is_domain:
        revocations.note(tx, domain_id=project.id)
        tx.execute("DELETE FROM tokens WHERE domain_id = ?", [project.id])
        tx.execute("DELETE FROM tokens WHERE user_id IN (SELECT id FROM users WHERE domain_id = ?)", [project.id])
        tx.execute("DELETE FROM tokens WHERE project_id IN (SELECT id FROM projects WHERE domain_id = ?)", [project.id])
    else:
        revocations.note(tx, project_id=project.id)
        tx.execute("DELETE FROM tokens WHERE project_id = ?", [project.id])


def delete(tx: Transaction, project_id: str) -> None:
    """Remove a project without children. Raises NotFound, Forbidden (immutable, or not a leaf)."""
    project = get(tx, project_id)
    wording.keep_immutable_alive("project", project.id, project.options)
    if tx.one("SELECT 1 FROM projects WHERE parent_id = ?", [project_id]) is not None:
        raise Forbidden(
            f"Cannot delete the project {project_id} since it is not a leaf in the hierarchy. Use the cascade option if "
            "you want to delete a whole subtree."
        )
    remove(tx, project)


def remove(tx: Transaction, project: Project) -> None:
    """Take away a leaf with everything that hangs on it in identity."""
    forget_tokens(tx, project)
    target = "domain" if project.is_domain else "project"
    tx.execute("DELETE FROM role_assignments WHERE target_type = ? AND target_id = ?", [target, project.id])
    tx.execute("UPDATE users SET default_project_id = NULL WHERE default_project_id = ?", [project.id])
    credentials.forget_project(tx, project.id)
    records.remove(tx, project)


def add_tag(tx: Transaction, project_id: str, tag: str) -> Project:
    """Put one more tag on a project; content when it bears it already."""
    project = get(tx, project_id)
    if tag in project.tags:
        return project
    return update(tx, project_id, {"tags": [*project.tags, tag]}, {})


def remove_tag(tx: Transaction, project_id: str, tag: str) -> None:
    """Take one tag off. Raises NotFound when the project does not bear it."""
    project = get(tx, project_id)
    require_tag(project, tag)
    update(tx, project_id, {"tags": [kept for kept in project.tags if kept != tag]}, {})


def require_tag(project: Project, tag: str) -> None:
    """Raises NotFound when the project does not bear the tag."""
    if tag not in project.tags:
        raise NotFound(f"Could not find project tag: {tag}.")
