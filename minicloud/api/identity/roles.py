"""Roles, and which role implies which."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.identity import documents, lists, views
from minicloud.api.identity.documents import Id, Name, ResourceOptions
from minicloud.api.identity.targets import ADMIN, ADMIN_OR_SYSTEM_READER, OF_ALL, OF_PROJECTS_AND_SYSTEM, target
from minicloud.api.identity.views import View
from minicloud.api.listing import equal
from minicloud.api.routes import Delete, Further, Get, Head, Patch, Post, Put
from minicloud.core.identity import roles, wording
from minicloud.core.identity.roles import Role
from minicloud.core.records import Condition, Transaction

SHOW = f"{ADMIN_OR_SYSTEM_READER} or (role:manager and rule:domain_managed_target_role)"
LIST = f"{ADMIN_OR_SYSTEM_READER} or (role:manager and not domain_id:None)"

ROLES = lists.listing("roles", {"domain_id": equal("domain_id"), **lists.text_filter("name")})


class RoleDocument(Body, open=True):
    """A document with a role."""

    role: dict[str, Any]


class RoleFields(msgspec.Struct):
    """What a role has by the API's definition; anything else is kept as it comes."""

    name: Name | UnsetType = UNSET
    domain_id: Id | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    options: ResourceOptions | UnsetType = UNSET


class NewRoleFields(RoleFields, kw_only=True):
    """A new role has a name."""

    name: Name


def _judged(tx: Transaction, call: Call, role_id: str, verb: str) -> Role:
    """The role, if whoever asks may; a role of a domain has policies of its own."""
    found = roles.find(tx, role_id)
    kind = "role" if found is None or found.domain_id is None else "domain_role"
    call.judge(target(role=found), rule=f"identity:{verb}_{kind}")
    return roles.get(tx, role_id) if found is None else found


async def index(call: Call) -> View:
    """``GET /v3/roles``: the global ones, unless those of a domain are asked for."""
    domain_id = call.parameter("domain_id")
    call.judge({}, rule="identity:list_domain_roles" if domain_id else "identity:list_roles")
    only = [] if domain_id else [Condition("domain_id", "is null")]
    return await lists.show(call, roles.page, views.role, *only)


async def create(call: Call, body: RoleDocument) -> View:
    """``POST /v3/roles``"""
    fields, extra = documents.read(NewRoleFields, body.role)
    call.judge(
        target(role=body.role),
        rule="identity:create_domain_role" if fields.get("domain_id") else "identity:create_role",
    )
    fields["options"] = wording.with_options({}, fields.get("options", {}))
    made = await call.write(lambda tx: roles.create(tx, Role(id=tx.ids.hex(), extra=extra, **fields)))
    return {"role": views.role(call, made)}


async def show(call: Call, role_id: str) -> View:
    """``GET /v3/roles/{role_id}``"""
    return {"role": views.role(call, await call.read(lambda tx: _judged(tx, call, role_id, "get")))}


async def update(call: Call, role_id: str, body: RoleDocument) -> View:
    """``PATCH /v3/roles/{role_id}``"""
    fields, extra = documents.read(RoleFields, body.role)

    def change(tx: Transaction) -> Role:
        _judged(tx, call, role_id, "update")
        documents.require_same_id(body.role, role_id)
        tx.after_commit(call.means.forget_tokens)
        return roles.update(tx, role_id, fields, extra)

    return {"role": views.role(call, await call.write(change))}


async def delete(call: Call, role_id: str) -> None:
    """``DELETE /v3/roles/{role_id}``"""

    def remove(tx: Transaction) -> None:
        _judged(tx, call, role_id, "delete")
        roles.delete(tx, role_id)
        tx.after_commit(call.means.forget_tokens)

    await call.write(remove)


def _brief(call: Call, role: Role) -> View:
    return {"id": role.id, "links": views.links(call, f"/roles/{role.id}"), "name": role.name}


def _rule(call: Call, prior: Role, implied: Role) -> View:
    return {
        "role_inference": {"prior_role": _brief(call, prior), "implies": _brief(call, implied)},
        "links": views.links(call, f"/roles/{prior.id}/implies/{implied.id}"),
    }


async def list_implied(call: Call, prior_role_id: str) -> View:
    """``GET /v3/roles/{prior_role_id}/implies``"""
    prior, implied = await call.read(lambda tx: (roles.get(tx, prior_role_id), roles.implied_by(tx, prior_role_id)))
    return {
        "role_inference": {"prior_role": _brief(call, prior), "implies": [_brief(call, role) for role in implied]},
        "links": views.links(call, f"/roles/{prior_role_id}/implies"),
    }


async def show_implied(call: Call, prior_role_id: str, implied_role_id: str) -> View:
    """``GET /v3/roles/{prior_role_id}/implies/{implied_role_id}``"""
    return _rule(call, *await call.read(lambda tx: roles.require_implied(tx, prior_role_id, implied_role_id)))


async def check_implied(call: Call, prior_role_id: str, implied_role_id: str) -> None:
    """``HEAD /v3/roles/{prior_role_id}/implies/{implied_role_id}``"""
    await call.read(lambda tx: roles.require_implied(tx, prior_role_id, implied_role_id))


async def imply(call: Call, prior_role_id: str, implied_role_id: str) -> View:
    """``PUT /v3/roles/{prior_role_id}/implies/{implied_role_id}``"""

    def change(tx: Transaction) -> tuple[Role, Role]:
        tx.after_commit(call.means.forget_tokens)
        return roles.imply(tx, prior_role_id, implied_role_id)

    return _rule(call, *await call.write(change))


async def imply_no_more(call: Call, prior_role_id: str, implied_role_id: str) -> None:
    """``DELETE /v3/roles/{prior_role_id}/implies/{implied_role_id}``"""

    def change(tx: Transaction) -> None:
        tx.after_commit(call.means.forget_tokens)
        roles.imply_no_more(tx, prior_role_id, implied_role_id)

    await call.write(change)


async def inferences(call: Call) -> View:
    """``GET /v3/role_inferences``"""
    found = await call.read(roles.inferences)
    return {
        "role_inferences": [
            {"prior_role": _brief(call, prior), "implies": [_brief(call, role) for role in implied]}
            for prior, implied in found
        ],
        "links": views.links(call, "/role_inferences"),
    }


def _pair(verb: str, allow: str) -> dict[str, Any]:
    """A late route's words where a global role and a role of a domain have a policy each."""
    reading = verb in ("get", "list")
    return {
        "policy": f"identity:{verb}_role{'s' if verb == 'list' else ''}",
        "allow": allow,
        "late": True,
        "scopes": OF_ALL if reading else OF_PROJECTS_AND_SYSTEM,
        "extra": [
            Further(
                f"identity:{verb}_domain_role{'s' if verb == 'list' else ''}",
                ADMIN_OR_SYSTEM_READER if reading else ADMIN,
                OF_PROJECTS_AND_SYSTEM,
            )
        ],
    }


_IMPLIED = "/roles/{prior_role_id}/implies/{implied_role_id}"

routes = [
    Get("/roles", index, listing=ROLES, **_pair("list", LIST)),
    Post("/roles", create, status=201, **_pair("create", ADMIN)),
    Get("/roles/{role_id}", show, **_pair("get", SHOW)),
    Patch("/roles/{role_id}", update, **_pair("update", ADMIN)),
    Delete("/roles/{role_id}", delete, **_pair("delete", ADMIN)),
    Get(
        "/roles/{prior_role_id}/implies",
        list_implied,
        policy="identity:list_implied_roles",
        allow=ADMIN_OR_SYSTEM_READER,
    ),
    Get(_IMPLIED, show_implied, policy="identity:get_implied_role", allow=ADMIN_OR_SYSTEM_READER),
    Head(_IMPLIED, check_implied, policy="identity:check_implied_role", allow=ADMIN_OR_SYSTEM_READER, status=204),
    Put(_IMPLIED, imply, policy="identity:create_implied_role", allow=ADMIN, status=201),
    Delete(_IMPLIED, imply_no_more, policy="identity:delete_implied_role", allow=ADMIN),
    Get("/role_inferences", inferences, policy="identity:list_role_inference_rules", allow=ADMIN_OR_SYSTEM_READER),
]
