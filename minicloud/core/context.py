"""The context of a request: who asks, in what scope, with which roles. Policy, quota and every query take it from here."""

from typing import Literal

import msgspec


class AllowedRequest(msgspec.Struct, frozen=True):
    """A kind of request that an application credential may be used for; the path may have wildcards."""

    service: str
    method: str
    path: str


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks. Scope is exactly one of project, domain, system, or none (an unscoped token).

    ``methods`` tell how the token was got; one of a trust or of an application credential names that. Where there are
    ``allowed_requests``, nothing else may be asked for.
    """

    request_id: str = ""
    global_request_id: str | None = None
    user_id: str = ""
    user_name: str = ""
    user_domain_id: str = ""
    project_id: str | None = None
    project_name: str | None = None
    project_domain_id: str | None = None
    domain_id: str | None = None
    system_scope: Literal["all"] | None = None
    roles: frozenset[str] = frozenset()
    is_admin: bool = False
    token_id: str = ""
    audit_ids: tuple[str, ...] = ()
    expires_at: str = ""
    methods: tuple[str, ...] = ()
    trust_id: str | None = None
    application_credential_id: str | None = None
    unrestricted: bool = False
    allowed_requests: tuple[AllowedRequest, ...] = ()

    def sees(self, project_id: str | None) -> bool:
        """Whether this project's things exist for whoever asks; an administrator sees all."""
        return self.is_admin or (project_id is not None and project_id == self.project_id)

    def require_project(self) -> str:
        """The project in scope; policy has refused requests without one before this is asked."""
        assert self.project_id is not None, "policy let a request without project scope through"
        return self.project_id


def administrator(request_id: str = "", project_id: str | None = None) -> Context:
    """The cloud's own context, for work that nobody asked for: reconcilers, bootstrap, seeds."""
    return Context(
        request_id=request_id,
        user_id="minicloud",
        user_name="minicloud",
        project_id=project_id,
        system_scope=None if project_id else "all",
        roles=frozenset({"admin", "manager", "member", "reader"}),
        is_admin=True,
    )


def on_behalf(user_id: str, project_id: str) -> Context:
    """The context of work that goes on for a user after the request was answered: a member of that one project."""
    return Context(user_id=user_id, project_id=project_id, roles=frozenset({"member", "reader"}))
