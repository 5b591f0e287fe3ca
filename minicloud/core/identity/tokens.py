"""Tokens: who bears one, in which scope and with which roles; known by the hash of their secret alone."""

import base64
from datetime import timedelta

import msgspec

from minicloud.base import trace
from minicloud.base.clock import moment, stamp
from minicloud.base.errors import Forbidden, NotFound
from minicloud.core import records
from minicloud.core.context import AllowedRequest, Context
from minicloud.core.identity import application_credentials, assignments, revocations, roles, trusts, wording
from minicloud.core.identity.application_credentials import Shown
from minicloud.core.identity.assignments import SYSTEM, Scope, domain_scope, project_scope
from minicloud.core.identity.oauth1 import AccessToken
from minicloud.core.identity.projects import Project
from minicloud.core.identity.roles import Role
from minicloud.core.identity.trusts import Trust
from minicloud.core.identity.users import User
from minicloud.engines.database import Transaction

KEPT_AFTER_EXPIRY = timedelta(hours=48)
"""How long a service may still ask about an expired token (``allow_expired``), so that long work can end."""


class Token(records.Record, kw_only=True):
    """A token. ``chain`` is the audit id of the token that it came from by rescoping, or its own.

    With a trust, ``user_id`` is the trustee's, whoever the token then stands for.
    """

    TABLE = "tokens"

    id: str
    user_id: str
    methods: list[str]
    audit_id: str
    chain: str
    project_id: str | None = None
    domain_id: str | None = None
    system: str | None = None
    trust_id: str | None = None
    application_credential_id: str | None = None
    access_token_id: str | None = None
    issued_at: str
    expires_at: str

    @property
    def audit_ids(self) -> tuple[str, ...]:
        """Its own audit id, then the one of the chain, if it came from another token."""
        return (self.audit_id,) if self.audit_id == self.chain else (self.audit_id, self.chain)

    @property
    def scope(self) -> Scope | None:
        """Where it is good for; None when unscoped."""
        if self.project_id is not None:
            return project_scope(self.project_id)
        if self.domain_id is not None:
            return domain_scope(self.domain_id)
        return SYSTEM if self.system is not None else None


class Standing(msgspec.Struct, kw_only=True):
    """A valid token with everything it stands on, as it is now. ``project`` or ``domain`` is set when that is the scope.

    ``user`` is whom the token stands for: with a trust that impersonates, the trustor.
    """

    token: Token
    user: User
    user_domain: Project
    project: Project | None = None
    project_domain: Project | None = None
    domain: Project | None = None
    roles: list[Role] = []
    trust: Trust | None = None
    application_credential: Shown | None = None
    access_token: AccessToken | None = None


def issue(
    tx: Transaction,
    *,
    token_id: str,
    user: User,
    methods: list[str],
    scope: Scope | None,
    hours: float,
    parent: Token | None = None,
    trust: Trust | None = None,
    application_credential_id: str | None = None,
    access_token_id: str | None = None,
    ends_at_latest: str | None = None,
) -> Standing:
    """Write down a new token under the hash of its secret.

    A token got with another one ends when that one does, and shares its chain; none outlives its trust, application
    credential or access token. Raises Unauthenticated when user, scope or roles do not bear it, Forbidden when a trust does not.
    """
    _remove_expired(tx)
    audit_id = base64.urlsafe_b64encode(bytes.fromhex(tx.ids.hex())).decode()[:22]
    ends = (
        stamp((moment(tx.now) + timedelta(hours=hours)).replace(microsecond=0)) if parent is None else parent.expires_at
    )
    token = Token(
        id=token_id,
        user_id=user.id,
        methods=methods,
        audit_id=audit_id,
        chain=audit_id if parent is None else parent.chain,
        project_id=scope.target_id if scope is not None and scope.target_type == "project" else None,
        domain_id=scope.target_id if scope is not None and scope.target_type == "domain" else None,
        system=scope.target_id if scope is not None and scope.target_type == "system" else None,
        trust_id=None if trust is None else trust.id,
        application_credential_id=application_credential_id,
        access_token_id=access_token_id,
        issued_at=tx.now,
        expires_at=ends if ends_at_latest is None else min(ends, ends_at_latest),
    )
    try:
        standing = _stand(tx, token)
    except NotFound as error:
        raise wording.refused(error.message) from error
    records.insert(tx, token)
    return standing


def show(tx: Transaction, token_id: str, *, allow_expired: bool = False) -> Standing:
    """What a token stands on. Raises NotFound when it is unknown, expired, revoked, or no longer borne by user and scope."""
    token = records.find(tx, Token, token_id)
    if token is None:
        raise _invalid("no such token")
    limit = moment(tx.now) - KEPT_AFTER_EXPIRY if allow_expired else moment(tx.now)
    if token.expires_at <= stamp(limit):
        raise _invalid("it has expired")
    try:
        return _stand(tx, token)
    except Forbidden as error:
        raise _invalid(error.message) from error


def context(tx: Transaction, token_id: str) -> Context:
    """Who bears a token, for requests made with it. Raises NotFound as ``show`` does."""
    standing = show(tx, token_id)
    token, user, project = standing.token, standing.user, standing.project
    roles = frozenset(role.name.lower() for role in standing.roles)
    credential = standing.application_credential
    return Context(
        user_id=user.id,
        user_name=user.name,
        user_domain_id=user.domain_id,
        project_id=None if project is None else project.id,
        project_name=None if project is None else project.name,
        project_domain_id=None if project is None else project.domain_id,
        domain_id=token.domain_id,
        system_scope="all" if token.system is not None else None,
        roles=roles,
        is_admin="admin" in roles,
        token_id=token.id,
        audit_ids=token.audit_ids,
        expires_at=token.expires_at,
        methods=tuple(token.methods),
        trust_id=token.trust_id,
        application_credential_id=token.application_credential_id,
        unrestricted=credential is not None and credential.credential.unrestricted,
        allowed_requests=()
        if credential is None
        else tuple(AllowedRequest(rule.service, rule.method, rule.path) for rule in credential.rules),
    )


def revoke(tx: Transaction, token: Token, *, chain: bool = True) -> None:
    """Make a token void, and with ``chain`` also those that were got with it."""
    revocations.note(tx, audit_id=token.audit_id)
    tx.execute("DELETE FROM tokens WHERE id = ?", [token.id])
    if chain:
        revocations.note(tx, audit_chain_id=token.audit_id)
        tx.execute("DELETE FROM tokens WHERE chain = ?", [token.audit_id])


def _stand(tx: Transaction, token: Token) -> Standing:
    """Everything a token needs is there and enabled, and its bearer still holds a role in its scope."""
    user, user_domain = _user(tx, token.user_id)
    standing = Standing(token=token, user=user, user_domain=user_domain)
    if token.trust_id is not None:
        _stand_on_trust(tx, standing, token.trust_id)
    scope = token.scope
    if scope is None:
        return standing
    if token.project_id is not None:
        standing.project = _enabled(tx, token.project_id)
        if standing.project.domain_id is not None:
            standing.project_domain = _enabled(tx, standing.project.domain_id)
    if token.domain_id is not None:
        standing.domain = _enabled(tx, token.domain_id)
    if standing.trust is None:
        standing.roles = assignments.effective_roles(tx, user.id, scope)
    if token.application_credential_id is not None:
        found = application_credentials.find(tx, token.application_credential_id)
        if found is None:
            raise _invalid("its application credential is gone")
        standing.application_credential = application_credentials.shown(tx, [found])[0]
        standing.roles = [role for role in standing.roles if role.id in found.role_ids]
    if token.access_token_id is not None:
        standing.access_token = records.find(tx, AccessToken, token.access_token_id)
        if standing.access_token is None:
            raise _invalid("its access token is gone")
        handed_on = roles.with_implied(tx, standing.access_token.role_ids)
        standing.roles = [role for role in standing.roles if role.id in handed_on]
    if not standing.roles:
        raise _invalid(f"user {user.id} has no role on {scope.target_type} {scope.target_id}")
    return standing


def _stand_on_trust(tx: Transaction, standing: Standing, trust_id: str) -> None:
    """Trustor and trustee are there and enabled, and the trustor still holds what was delegated."""
    trust = records.find(tx, Trust, trust_id)
    if trust is None:
        raise _invalid("its trust is gone")
    trustor, domain = _user(tx, trust.trustor_user_id)
    standing.trust, standing.roles = trust, trusts.delegated_roles(tx, trust)
    if trust.impersonation:
        standing.user, standing.user_domain = trustor, domain


def _user(tx: Transaction, user_id: str) -> tuple[User, Project]:
    """A user who is enabled, in a domain that is."""
    user = records.find(tx, User, user_id)
    if user is None or not user.enabled:
        raise _invalid("its user is gone or disabled")
    domain = records.get(tx, Project, user.domain_id)
    if not domain.enabled:
        raise _invalid("the domain of its user is disabled")
    return user, domain


def _enabled(tx: Transaction, project_id: str) -> Project:
    found = records.find(tx, Project, project_id)
    if found is None or not found.enabled:
        raise _invalid(f"{project_id}, its scope, is gone or disabled")
    return found


def _invalid(why: str) -> NotFound:
    trace.note("token_refused", why=why)
    return NotFound("Failed to validate token", why=why)


def _remove_expired(tx: Transaction) -> None:
    """Each new token takes away a few that nobody may ask about any more, so the table stays as large as the cloud is busy."""
    limit = stamp(moment(tx.now) - KEPT_AFTER_EXPIRY)
    tx.execute(
        "DELETE FROM tokens WHERE id IN (SELECT id FROM tokens WHERE expires_at < ? ORDER BY expires_at LIMIT 8)",
        [limit],
    )
