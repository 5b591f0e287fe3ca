"""Domains."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.identity import documents, lists, views
from minicloud.api.identity.documents import ResourceOptions, ShortName, Tags, Truth
from minicloud.api.identity.targets import ADMIN, ADMIN_OR_SYSTEM_READER, OF_ALL, target
from minicloud.api.identity.views import View
from minicloud.api.listing import flag
from minicloud.api.routes import Delete, Get, Patch, Post
from minicloud.base.errors import Invalid
from minicloud.base.ids import is_uuid
from minicloud.core.identity import domains, projects, wording
from minicloud.core.identity.projects import Project
from minicloud.core.records import Transaction

SHOW = (
    f"{ADMIN_OR_SYSTEM_READER} or token.domain.id:%(target.domain.id)s or token.project.domain.id:%(target.domain.id)s"
)
LIST = f"{ADMIN_OR_SYSTEM_READER} or (role:reader and domain_id:%(target.domain.id)s)"

DOMAINS = lists.listing("domains", {"enabled": flag("enabled"), **lists.text_filter("name")})


class DomainDocument(Body, open=True):
    """A document with a domain."""

    domain: dict[str, Any]


class DomainFields(msgspec.Struct):
    """What a domain has by the API's definition; anything else is kept as it comes."""

    name: ShortName | UnsetType = UNSET
    enabled: Truth | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    tags: Tags | UnsetType = UNSET
    options: ResourceOptions | UnsetType = UNSET
    explicit_domain_id: str | UnsetType = UNSET


class NewDomainFields(DomainFields, kw_only=True):
    """A new domain has a name."""

    name: ShortName


async def index(call: Call) -> View:
    """``GET /v3/domains``"""
    own = call.context.domain_id
    call.judge({} if own is None else {"target.domain.id": own})
    return await lists.show(call, domains.page, views.domain, *lists.own_domain(call, "id"))


async def create(call: Call, body: DomainDocument) -> View:
    """``POST /v3/domains``"""
    fields, extra = documents.read(NewDomainFields, body.domain)
    chosen = fields.pop("explicit_domain_id", None)
    if chosen is not None and not is_uuid(chosen):
        raise Invalid("Domain ID does not conform to required UUID format.")
    fields["options"] = wording.with_options({}, fields.get("options", {}))
    fields["description"] = fields.get("description") or ""
    made = await call.write(
        lambda tx: projects.create(
            tx,
            Project(id=chosen or tx.ids.hex(), domain_id=None, parent_id=None, is_domain=True, extra=extra, **fields),
        )
    )
    return {"domain": views.domain(call, made)}


async def show(call: Call, domain_id: str) -> View:
    """``GET /v3/domains/{domain_id}``"""

    def read(tx: Transaction) -> Project:
        found = domains.find(tx, domain_id)
        call.judge(target(domain=found))
        return domains.get(tx, domain_id) if found is None else found

    return {"domain": views.domain(call, await call.read(read))}


async def update(call: Call, domain_id: str, body: DomainDocument) -> View:
    """``PATCH /v3/domains/{domain_id}``"""
    fields, extra = documents.read(DomainFields, body.domain)
    fields.pop("explicit_domain_id", None)

    def change(tx: Transaction) -> Project:
        tx.after_commit(call.means.forget_tokens)
        return domains.update(tx, domain_id, fields, extra)

    return {"domain": views.domain(call, await call.write(change))}


async def delete(call: Call, domain_id: str) -> None:
    """``DELETE /v3/domains/{domain_id}``"""

    def remove(tx: Transaction) -> None:
        domains.delete(tx, domain_id)
        tx.after_commit(call.means.forget_tokens)

    await call.write(remove)


routes = [
    Get("/domains", index, policy="identity:list_domains", allow=LIST, late=True, listing=DOMAINS, scopes=OF_ALL),
    Post("/domains", create, policy="identity:create_domain", allow=ADMIN, status=201),
    Get("/domains/{domain_id}", show, policy="identity:get_domain", allow=SHOW, late=True, scopes=OF_ALL),
    Patch("/domains/{domain_id}", update, policy="identity:update_domain", allow=ADMIN),
    Delete("/domains/{domain_id}", delete, policy="identity:delete_domain", allow=ADMIN),
]
