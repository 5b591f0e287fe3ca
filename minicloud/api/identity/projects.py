"""Projects, their place in the tree, and their tags."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api import bodies
from minicloud.api.bodies import Body
from minicloud.api.call import Call, Reply
from minicloud.api.identity import documents, lists, views
from minicloud.api.identity.documents import Id, ResourceOptions, ShortName, Tag, Tags, Truth
from minicloud.api.identity.targets import ADMIN, ADMIN_OR_SYSTEM_READER, DOMAIN_READER_LISTING, OF_ALL, target
from minicloud.api.identity.views import View
from minicloud.api.listing import equal, flag, truth
from minicloud.api.routes import Delete, Get, Patch, Post, Put, scoped
from minicloud.base.errors import Invalid
from minicloud.core import records
from minicloud.core.identity import assignments, projects, wording
from minicloud.core.identity.projects import Project
from minicloud.core.records import Condition, Query, Transaction

SHOW = (
    f"{ADMIN_OR_SYSTEM_READER} or (role:reader and domain_id:%(target.project.domain_id)s and "
    "not None:%(target.project.domain_id)s) or project_id:%(target.project.id)s"
)
MANAGE = (
    f"{ADMIN} or (role:manager and domain_id:%(target.project.domain_id)s and not None:%(target.project.domain_id)s)"
)

PROJECTS = lists.listing(
    "projects",
    {
        "domain_id": equal("domain_id"),
        "parent_id": equal("parent_id"),
        "enabled": flag("enabled"),
        "is_domain": flag("is_domain"),
        **lists.text_filter("name"),
    },
)


class ProjectDocument(Body, open=True):
    """A document with a project."""

    project: dict[str, Any]


class ProjectFields(msgspec.Struct):
    """What a project has by the API's definition; anything else is kept as it comes."""

    name: ShortName | UnsetType = UNSET
    domain_id: Id | UnsetType | None = UNSET
    parent_id: Id | UnsetType | None = UNSET
    is_domain: Truth | UnsetType = UNSET
    enabled: Truth | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    tags: Tags | UnsetType = UNSET
    options: ResourceOptions | UnsetType = UNSET


class NewProjectFields(ProjectFields, kw_only=True):
    """A new project has a name."""

    name: ShortName


class TagsDocument(Body, open=True):
    """All tags of a project."""

    tags: Tags


def _judged(tx: Transaction, call: Call, project_id: str) -> Project:
    """The project, if whoever asks may. Raises Forbidden before NotFound, so that nobody learns what there is."""
    found = records.find(tx, Project, project_id)
    call.judge(target(project=found))
    return projects.get(tx, project_id) if found is None else found


async def index(call: Call) -> View:
    """``GET /v3/projects``: without the domains, unless they are asked for."""
    call.judge({"target.domain_id": call.context.domain_id})
    own = lists.own_domain(call)
    if call.parameter("is_domain") is None:
        own.append(Condition("is_domain", "=", False))
    wanted = {name: set(value.split(",")) for name in _TAGGED if (value := call.parameter(name)) is not None}
    if not wanted:
        return await lists.show(call, projects.page, views.project, *own)

    def read(tx: Transaction, query: Query) -> list[Project]:
        limit, query.limit = query.limit, None
        found = [project for project in projects.page(tx, query) if _bears(set(project.tags), wanted)]
        return found if limit is None else found[:limit]

    return await lists.show(call, read, views.project, *own)


_TAGGED = ("tags", "tags-any", "not-tags", "not-tags-any")


def _bears(tags: set[str], wanted: dict[str, set[str]]) -> bool:
    """Whether tags meet all that is wanted of them."""
    return (
        wanted.get("tags", set()) <= tags
        and ("tags-any" not in wanted or bool(wanted["tags-any"] & tags))
        and ("not-tags" not in wanted or not wanted["not-tags"] <= tags)
        and not (wanted.get("not-tags-any", set()) & tags)
    )


async def create(call: Call, body: ProjectDocument) -> View:
    """``POST /v3/projects``"""
    fields, extra = documents.read(NewProjectFields, body.project)
    call.judge(target(project=body.project))
    if not fields.get("is_domain"):
        fields["domain_id"] = documents.domain_meant(call, fields.get("domain_id"))
    fields["options"] = wording.with_options({}, fields.get("options", {}))
    place = {"domain_id": None, "parent_id": None, **fields, "description": fields.get("description") or ""}
    place["tags"] = _unlike(fields.get("tags", []))
    made = await call.write(lambda tx: projects.create(tx, Project(id=tx.ids.hex(), extra=extra, **place)))
    return {"project": views.project(call, made)}


async def show(call: Call, project_id: str) -> View:
    """``GET /v3/projects/{project_id}``, with what stands above and below it when asked for."""
    asked = {
        name: name in dict(call.parameters) and truth(call.parameter(name) or "true")
        for name in ("parents_as_list", "parents_as_ids", "subtree_as_list", "subtree_as_ids")
    }
    for side in ("parents", "subtree"):
        if asked[f"{side}_as_list"] and asked[f"{side}_as_ids"]:
            raise Invalid(f"Cannot use {side}_as_list and {side}_as_ids query params at the same time.")

    def read(tx: Transaction) -> View:
        found = _judged(tx, call, project_id)
        made = views.project(call, found)
        above, below = projects.parents(tx, found), projects.subtree(tx, project_id)
        mine = {project.id for project in assignments.projects_of(tx, call.context.user_id)}
        if asked["parents_as_list"]:
            made["parents"] = [{"project": views.project(call, p)} for p in above if p.id in mine]
        if asked["parents_as_ids"]:
            made["parents"] = _chain([p.id for p in above])
        if asked["subtree_as_list"]:
            made["subtree"] = [{"project": views.project(call, p)} for p in below if p.id in mine]
        if asked["subtree_as_ids"]:
            made["subtree"] = _tree(project_id, below)
        return made

    return {"project": await call.read(read)}


def _chain(ids: list[str]) -> dict[str, Any] | None:
    """``{parent: {its parent: None}}``"""
    return {ids[0]: _chain(ids[1:])} if ids else None


def _tree(root: str, below: list[Project]) -> dict[str, Any] | None:
    """``{child: {its child: None}}``"""
    children = {project.id: _tree(project.id, below) for project in below if project.parent_id == root}
    return children or None


async def update(call: Call, project_id: str, body: ProjectDocument) -> View:
    """``PATCH /v3/projects/{project_id}``"""
    fields, extra = documents.read(ProjectFields, body.project)
    if "tags" in fields:
        fields["tags"] = _unlike(fields["tags"])

    def change(tx: Transaction) -> Project:
        _judged(tx, call, project_id)
        documents.require_same_id(body.project, project_id)
        tx.after_commit(call.means.forget_tokens)
        return projects.update(tx, project_id, fields, extra)

    return {"project": views.project(call, await call.write(change))}


async def delete(call: Call, project_id: str) -> None:
    """``DELETE /v3/projects/{project_id}``"""

    def remove(tx: Transaction) -> None:
        _judged(tx, call, project_id)
        projects.delete(tx, project_id)
        tx.after_commit(call.means.forget_tokens)

    await call.write(remove)


def _unlike(tags: list[str]) -> list[str]:
    """Tags in order. Raises Invalid where one comes twice."""
    if len(set(tags)) < len(tags):
        raise Invalid(f"Invalid input for field 'tags': {tags} has non-unique elements")
    return sorted(tags)


async def list_tags(call: Call, project_id: str) -> View:
    """``GET /v3/projects/{project_id}/tags``"""
    found = await call.read(lambda tx: _judged(tx, call, project_id))
    return {"links": views.links(call, f"/projects/{project_id}/tags"), "tags": found.tags}


async def replace_tags(call: Call, project_id: str, body: TagsDocument) -> View:
    """``PUT /v3/projects/{project_id}/tags``"""

    def change(tx: Transaction) -> Project:
        _judged(tx, call, project_id)
        return projects.update(tx, project_id, {"tags": _unlike(body.tags)}, {})

    made = await call.write(change)
    return {"links": views.links(call, f"/projects/{project_id}/tags"), "tags": made.tags}


async def delete_tags(call: Call, project_id: str) -> None:
    """``DELETE /v3/projects/{project_id}/tags``"""

    def change(tx: Transaction) -> None:
        _judged(tx, call, project_id)
        projects.update(tx, project_id, {"tags": []}, {})

    await call.write(change)


async def check_tag(call: Call, project_id: str, value: str) -> None:
    """``GET /v3/projects/{project_id}/tags/{value}``"""
    await call.read(lambda tx: projects.require_tag(_judged(tx, call, project_id), value))


async def add_tag(call: Call, project_id: str, value: str) -> Reply:
    """``PUT /v3/projects/{project_id}/tags/{value}``"""

    def change(tx: Transaction) -> None:
        project = _judged(tx, call, project_id)
        bodies.convert({"tag": value}, _OneTag)
        bodies.convert({"tags": _unlike([*project.tags, value])}, _AllTags)
        projects.add_tag(tx, project_id, value)

    await call.write(change)
    return Reply(b"", 201, {"Location": call.url(f"/projects/{project_id}/tags/{value}")})


class _OneTag(msgspec.Struct):
    tag: Tag


class _AllTags(msgspec.Struct):
    tags: Tags


async def delete_tag(call: Call, project_id: str, value: str) -> None:
    """``DELETE /v3/projects/{project_id}/tags/{value}``"""

    def change(tx: Transaction) -> None:
        _judged(tx, call, project_id)
        projects.remove_tag(tx, project_id, value)

    await call.write(change)


_ONE, _TAGS, _TAG = "/projects/{project_id}", "/projects/{project_id}/tags", "/projects/{project_id}/tags/{value}"

routes = scoped(
    OF_ALL,
    [
        Get(
            "/projects",
            index,
            policy="identity:list_projects",
            allow=DOMAIN_READER_LISTING,
            late=True,
            listing=PROJECTS,
        ),
        Post("/projects", create, policy="identity:create_project", allow=MANAGE, late=True, status=201),
        Get(_ONE, show, policy="identity:get_project", allow=SHOW, late=True),
        Patch(_ONE, update, policy="identity:update_project", allow=MANAGE, late=True),
        Delete(_ONE, delete, policy="identity:delete_project", allow=MANAGE, late=True),
        Get(_TAGS, list_tags, policy="identity:list_project_tags", allow=SHOW, late=True),
        Put(_TAGS, replace_tags, policy="identity:update_project_tags", allow=MANAGE, late=True),
        Delete(_TAGS, delete_tags, policy="identity:delete_project_tags", allow=MANAGE, late=True),
        Get(_TAG, check_tag, policy="identity:get_project_tag", allow=SHOW, late=True, status=204),
        Put(_TAG, add_tag, policy="identity:create_project_tag", allow=MANAGE, late=True, status=201),
        Delete(_TAG, delete_tag, policy="identity:delete_project_tag", allow=MANAGE, late=True),
    ],
)
