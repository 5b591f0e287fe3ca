"""The identity service's API: Keystone v3, answered under ``/identity`` and at the root of the cloud."""

from minicloud.api.bodies import Reading
from minicloud.api.identity import (
    absent,
    access_rules,
    application_credentials,
    credentials,
    domain_configs,
    domains,
    ec2_credentials,
    ec2_tokens,
    endpoint_groups,
    endpoints,
    grants,
    groups,
    limits,
    oauth1_consumers,
    oauth1_tokens,
    oauth2_tokens,
    policies,
    projects,
    regions,
    registered_limits,
    revocations,
    role_assignments,
    roles,
    scopes,
    services,
    tokens,
    trusts,
    users,
    version,
)
from minicloud.api.identity.passwords import Passwords
from minicloud.api.identity.targets import OF_PROJECTS_AND_SYSTEM
from minicloud.api.service import Service
from minicloud.core.identity.password_rules import PasswordRules
from minicloud.core.identity.registered_limits import FLAT, Model

TOKEN_HOURS = 24.0


def service(
    passwords: Passwords,
    *,
    token_hours: float = TOKEN_HOURS,
    rules: PasswordRules | None = None,
    limit_model: Model = FLAT,
) -> Service:
    """The service: how it checks passwords and what they must be like, how long its tokens last, how limits are kept."""
    rules = rules or PasswordRules()
    issuer = tokens.Tokens(passwords, rules, token_hours)
    return Service(
        name="identity",
        dialect="identity",
        scopes=OF_PROJECTS_AND_SYSTEM,
        mounts=("/identity", ""),
        prefix="/v3",
        routes=[
            *version.routes,
            *tokens.routes(issuer),
            *scopes.routes,
            *users.routes(passwords, rules),
            *groups.routes,
            *projects.routes,
            *domains.routes,
            *roles.routes,
            *grants.routes,
            *role_assignments.routes,
            *regions.routes,
            *services.routes,
            *endpoints.routes,
            *credentials.routes,
            *ec2_credentials.routes,
            *ec2_tokens.routes(token_hours),
            *application_credentials.routes(passwords),
            *access_rules.routes,
            *trusts.routes,
            *registered_limits.routes,
            *limits.routes(limit_model),
            *endpoint_groups.routes,
            *policies.routes,
            *domain_configs.routes(rules),
            *revocations.routes,
            *oauth1_consumers.routes,
            *oauth1_tokens.routes,
            *oauth2_tokens.routes(issuer, token_hours),
            *absent.routes,
        ],
        reading=Reading(forbid_unknown=False),
        content_type="any",
        request_id_headers=("x-openstack-request-id",),
        not_found="The requested URL was not found on the server.",
    )
