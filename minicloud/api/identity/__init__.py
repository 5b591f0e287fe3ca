"""The identity service's API: Keystone v3, answered under ``/identity`` and at the root of the cloud."""

from minicloud.api.bodies import Reading
from minicloud.api.identity import (
    access_rules,
    application_credentials,
    credentials,
    domains,
    ec2_credentials,
    ec2_tokens,
    endpoints,
    grants,
    groups,
    projects,
    regions,
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
from minicloud.api.service import Service

TOKEN_HOURS = 24.0


def service(passwords: Passwords, *, token_hours: float = TOKEN_HOURS) -> Service:
    """The service, with how it checks passwords and how long its tokens last."""
    return Service(
        name="identity",
        dialect="identity",
        mounts=("/identity", ""),
        prefix="/v3",
        routes=[
            *version.routes,
            *tokens.routes(passwords, token_hours),
            *scopes.routes,
            *users.routes(passwords),
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
        ],
        reading=Reading(forbid_unknown=False),
        content_type="any",
        request_id_headers=("x-openstack-request-id",),
        not_found="The requested URL was not found on the server.",
    )
