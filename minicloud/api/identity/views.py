"""Identity's answers: records as documents, with the links and the further attributes that clients wrote into them."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from minicloud.api.call import Call
from minicloud.core.identity.access_rules import AccessRule
from minicloud.core.identity.application_credentials import Shown
from minicloud.core.identity.catalog import CatalogService, Endpoint, Region, Service
from minicloud.core.identity.credentials import Credential
from minicloud.core.identity.endpoint_groups import EndpointGroup
from minicloud.core.identity.groups import Group
from minicloud.core.identity.limits import Limit
from minicloud.core.identity.policies import Policy
from minicloud.core.identity.projects import Project
from minicloud.core.identity.registered_limits import RegisteredLimit
from minicloud.core.identity.roles import Role
from minicloud.core.identity.tokens import Standing
from minicloud.core.identity.trusts import Trust
from minicloud.core.identity.users import User

View = dict[str, Any]


def links(call: Call, path: str) -> View:
    """The link of a document to itself."""
    return {"self": call.url(path)}


def collection(call: Call, name: str, items: Iterable[View]) -> View:
    """A list that has no pages."""
    path = call.request.scope["path"][len(call.mount) + len(call.service.prefix) :].rstrip("/")
    here = call.url(path)
    if call.parameters:
        here = f"{here}?{urlencode(call.parameters)}"
    return {name: list(items), "links": {"next": None, "self": here, "previous": None}}


def listed(call: Call, rows: list[Any], view: Any) -> View:
    """One page of a list; ``truncated`` tells that there is more."""
    kept, more = call.page.cut(rows)
    found = call.page.document([view(call, row) for row in kept], more=more, last_id=kept[-1].id if kept else None)
    return {**found, "truncated": True} if more else found


def user(call: Call, found: User) -> View:
    """A user."""
    made: View = {
        **found.extra,
        "id": found.id,
        "name": found.name,
        "domain_id": found.domain_id,
        "enabled": found.enabled,
        "password_expires_at": found.password_expires_at,
        "options": found.options,
        "links": links(call, f"/users/{found.id}"),
    }
    if found.default_project_id is not None:
        made["default_project_id"] = found.default_project_id
    return made


def project(call: Call, found: Project) -> View:
    """A project, also one that acts as a domain."""
    return {
        **found.extra,
        "id": found.id,
        "name": found.name,
        "domain_id": found.domain_id,
        "description": found.description,
        "enabled": found.enabled,
        "parent_id": found.parent_id,
        "is_domain": found.is_domain,
        "tags": found.tags,
        "options": found.options,
        "links": links(call, f"/projects/{found.id}"),
    }


def domain(call: Call, found: Project) -> View:
    """A domain."""
    return {
        **found.extra,
        "id": found.id,
        "name": found.name,
        "description": found.description,
        "enabled": found.enabled,
        "tags": found.tags,
        "options": found.options,
        "links": links(call, f"/domains/{found.id}"),
    }


def role(call: Call, found: Role) -> View:
    """A role."""
    return {
        **found.extra,
        "id": found.id,
        "name": found.name,
        "domain_id": found.domain_id,
        "description": found.description,
        "options": found.options,
        "links": links(call, f"/roles/{found.id}"),
    }


def group(call: Call, found: Group) -> View:
    """A group."""
    return {
        **found.extra,
        "id": found.id,
        "name": found.name,
        "domain_id": found.domain_id,
        "description": found.description,
        "links": links(call, f"/groups/{found.id}"),
    }


def region(call: Call, found: Region) -> View:
    """A region."""
    return {
        **found.extra,
        "id": found.id,
        "description": found.description,
        "parent_region_id": found.parent_region_id,
        "links": links(call, f"/regions/{found.id}"),
    }


def service(call: Call, found: Service) -> View:
    """A service of the catalog."""
    return {
        **found.extra,
        "id": found.id,
        "name": found.name,
        "type": found.type,
        "enabled": found.enabled,
        "links": links(call, f"/services/{found.id}"),
    }


def endpoint(call: Call, found: Endpoint) -> View:
    """An endpoint, as it was written down: its places are filled in the catalog only."""
    return {
        **found.extra,
        "id": found.id,
        "service_id": found.service_id,
        "interface": found.interface,
        "region": found.region_id,
        "region_id": found.region_id,
        "url": found.url,
        "enabled": found.enabled,
        "links": links(call, f"/endpoints/{found.id}"),
    }


def credential(call: Call, found: Credential) -> View:
    """A credential, with its secret."""
    return {
        **found.extra,
        "id": found.id,
        "user_id": found.user_id,
        "project_id": found.project_id,
        "type": found.type,
        "blob": found.blob,
        "links": links(call, f"/credentials/{found.id}"),
    }


def application_credential(call: Call, found: Shown) -> View:
    """An application credential, without its secret."""
    one = found.credential
    made: View = {
        "id": one.id,
        "name": one.name,
        "description": one.description,
        "user_id": one.user_id,
        "project_id": one.project_id,
        "system": None,
        "expires_at": one.expires_at,
        "unrestricted": one.unrestricted,
        "roles": [
            {
                "id": held.id,
                "name": held.name,
                "domain_id": held.domain_id,
                "description": held.description,
                "options": held.options,
            }
            for held in found.roles
        ],
        "links": links(call, f"/users/{one.user_id}/application_credentials/{one.id}"),
    }
    return {**made, "access_rules": [_rule(rule) for rule in found.rules]} if found.rules else made


def trust(call: Call, found: Trust, roles: list[Role] | None = None) -> View:
    """A trust; lists show it without its roles."""
    made: View = {
        **found.extra,
        "id": found.id,
        "trustor_user_id": found.trustor_user_id,
        "trustee_user_id": found.trustee_user_id,
        "project_id": found.project_id,
        "impersonation": found.impersonation,
        "expires_at": None if found.expires_at is None else f"{found.expires_at}Z",
        "remaining_uses": found.remaining_uses,
        "redelegated_trust_id": found.redelegated_trust_id,
        "redelegation_count": found.redelegation_count,
        "deleted_at": None,
        "links": links(call, f"/OS-TRUST/trusts/{found.id}"),
    }
    if roles is not None:
        made["roles"] = [role(call, one) for one in roles]
        made["roles_links"] = {**links(call, f"/OS-TRUST/trusts/{found.id}/roles"), "next": None, "previous": None}
    return made


def registered_limit(call: Call, found: RegisteredLimit) -> View:
    """A registered limit."""
    return {
        "id": found.id,
        "service_id": found.service_id,
        "region_id": found.region_id,
        "resource_name": found.resource_name,
        "default_limit": found.default_limit,
        "description": found.description,
        "links": links(call, f"/registered_limits/{found.id}"),
    }


def limit(call: Call, found: Limit) -> View:
    """A limit of a project or a domain."""
    return {
        "id": found.id,
        "project_id": found.project_id,
        "domain_id": found.domain_id,
        "service_id": found.service_id,
        "region_id": found.region_id,
        "resource_name": found.resource_name,
        "resource_limit": found.resource_limit,
        "description": found.description,
        "links": links(call, f"/limits/{found.id}"),
    }


def endpoint_group(call: Call, found: EndpointGroup) -> View:
    """A group of endpoints."""
    return {
        "id": found.id,
        "name": found.name,
        "description": found.description,
        "filters": found.filters,
        "links": links(call, f"/OS-EP-FILTER/endpoint_groups/{found.id}"),
    }


def policy(call: Call, found: Policy) -> View:
    """A policy document."""
    return {
        **found.extra,
        "id": found.id,
        "type": found.type,
        "blob": found.blob,
        "links": links(call, f"/policies/{found.id}"),
    }


def access_rule(call: Call, found: AccessRule) -> View:
    """An access rule, by itself."""
    return {**_rule(found), "links": links(call, f"/users/{found.user_id}/access_rules/{found.id}")}


def _rule(found: AccessRule) -> View:
    return {"id": found.id, "service": found.service, "path": found.path, "method": found.method}


def _borne(found: Shown) -> View:
    """An application credential as a token tells of it."""
    credential = found.credential
    made: View = {"id": credential.id, "name": credential.name, "restricted": not credential.unrestricted}
    return {**made, "access_rules": [_rule(rule) for rule in found.rules]} if found.rules else made


def token(standing: Standing, catalog: list[CatalogService] | None) -> View:
    """What a token says of its bearer."""
    row = standing.token
    made: View = {
        "methods": row.methods,
        "user": {
            "domain": {"id": standing.user_domain.id, "name": standing.user_domain.name},
            "id": standing.user.id,
            "name": standing.user.name,
            "password_expires_at": standing.user.password_expires_at,
        },
        "audit_ids": list(row.audit_ids),
        "expires_at": f"{row.expires_at}Z",
        "issued_at": f"{row.issued_at}Z",
    }
    if row.system is not None:
        made["system"] = {"all": True}
    if standing.domain is not None:
        made["domain"] = {"id": standing.domain.id, "name": standing.domain.name}
    if standing.project is not None:
        above = standing.project_domain or standing.project
        made["project"] = {
            "domain": {"id": above.id, "name": above.name},
            "id": standing.project.id,
            "name": standing.project.name,
        }
        if standing.trust is None:
            made["is_domain"] = standing.project.is_domain
    if standing.trust is not None:
        made["OS-TRUST:trust"] = {
            "id": standing.trust.id,
            "trustor_user": {"id": standing.trust.trustor_user_id},
            "trustee_user": {"id": standing.trust.trustee_user_id},
            "impersonation": standing.trust.impersonation,
        }
    if standing.application_credential is not None:
        made["application_credential"] = _borne(standing.application_credential)
    if standing.access_token is not None:
        used = standing.access_token
        made["OS-OAUTH1"] = {"access_token_id": used.id, "consumer_id": used.consumer_id}
    if row.scope is not None:
        made["roles"] = [{"id": held.id, "name": held.name} for held in standing.roles]
        if catalog is not None:
            made["catalog"] = catalog
    return {"token": made}
