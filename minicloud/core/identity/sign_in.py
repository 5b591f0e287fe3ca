"""Signing in: from what a request names (a user, a token, a scope) to what there is. Each failure is told alike to the client.

Passwords are not checked here: that takes tens of milliseconds by design, so it happens outside of any transaction, and
``recheck`` makes sure afterwards that nothing moved.
"""

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Forbidden, NotFound
from minicloud.core.identity import (
    application_credentials,
    assignments,
    credentials,
    domains,
    one_time_passwords,
    password_rules,
    projects,
    tokens,
    trusts,
    users,
    wording,
)
from minicloud.core.identity.application_credentials import ApplicationCredential
from minicloud.core.identity.assignments import SYSTEM, Scope, domain_scope, project_scope
from minicloud.core.identity.password_rules import PasswordRules
from minicloud.core.identity.projects import Project
from minicloud.core.identity.tokens import Token
from minicloud.core.identity.trusts import Trust
from minicloud.core.identity.users import User
from minicloud.engines.database import Transaction


class DomainNamed(msgspec.Struct, frozen=True):
    """A domain as a request names it."""

    id: str | None = None
    name: str | None = None


class UserNamed(msgspec.Struct, frozen=True):
    """A user as a request names it."""

    id: str | None = None
    name: str | None = None
    domain: DomainNamed | None = None


class ProjectNamed(msgspec.Struct, frozen=True):
    """A project as a request names it."""

    id: str | None = None
    name: str | None = None
    domain: DomainNamed | None = None


class ApplicationCredentialNamed(msgspec.Struct, frozen=True):
    """An application credential as a request names it: by id, or by name with its user."""

    id: str | None = None
    name: str | None = None
    user: UserNamed | None = None


class ScopeNamed(msgspec.Struct, frozen=True):
    """The scope a request asks for: exactly one of these."""

    project: ProjectNamed | None = None
    domain: DomainNamed | None = None
    system: bool = False
    unscoped: bool = False
    trust_id: str | None = None


def find_user(tx: Transaction, named: UserNamed) -> User | None:
    """The user that is named, if it is there and it and its domain are enabled; the trace tells why not.

    Raises Invalid when a name comes without a domain.
    """
    if not named.id and not named.name:
        raise wording.expecting("id or name", "user")
    if named.name:
        if named.domain is None:
            raise wording.expecting("domain", "user")
        if not named.domain.id and not named.domain.name:
            raise wording.expecting("id or name", "domain")
        domain = _find_domain(tx, named.domain)
        user = None if domain is None else users.find_by_name(tx, domain.id, named.name)
    else:
        user = users.find(tx, named.id or "")
        domain = None if user is None else domains.find(tx, user.domain_id)
    if user is None or domain is None:
        trace.note("sign_in", user=named.name or named.id, let_in=False, why="there is no such user")
        return None
    if not user.enabled or not domain.enabled:
        trace.note("sign_in", user=user.id, let_in=False, why="the user or its domain is disabled")
        return None
    return user


def recheck(tx: Transaction, rules: PasswordRules, user_id: str, password_hash: str) -> User:
    """The user whose password was checked a moment ago.

    Raises Unauthenticated when user or password changed meanwhile, or the rules for passwords keep the user out.
    """
    user = users.find(tx, user_id)
    if user is None or not user.enabled or user.password_hash != password_hash:
        raise wording.refused("the user changed while the password was checked")
    password_rules.check_expired(tx, user)
    password_rules.check_active(tx, rules, user)
    password_rules.note_success(tx, rules, user)
    return user


def check_methods(user: User, methods: list[str], offered: tuple[str, ...]) -> None:
    """Raises Unauthenticated when a user's own rules ask for more methods than were used.

    A rule is a set of methods that suffices. Methods that this cloud does not offer are passed over, so that a rule made of
    nothing else locks nobody out.
    """
    if user.options.get("multi_factor_auth_enabled") is False:
        return
    rules = [set(rule) & set(offered) for rule in user.options.get("multi_factor_auth_rules") or []]
    if any(rules) and not any(rule and rule <= set(methods) for rule in rules):
        raise wording.refused(f"the rules of user {user.id} ask for more methods than {', '.join(methods)}")


def by_token(tx: Transaction, token_id: str, asked: ScopeNamed | None) -> tuple[User, Token]:
    """Who signs in with a token. Raises NotFound when it is void, Forbidden when it may not be turned into another scope."""
    standing = tokens.show(tx, token_id)
    if standing.token.trust_id is not None:
        raise Forbidden(
            "You are not authorized to perform the requested action: Using trust-scoped token to create another token. "
            "Create a new trust-scoped token instead."
        )
    if not credentials.OWN_METHODS.issuperset(standing.token.methods):
        raise Forbidden(
            "You are not authorized to perform the requested action: Using a delegated token to create another token is "
            "not allowed.."
        )
    if standing.token.system is not None and asked is not None and (asked.project or asked.domain):
        raise Forbidden(
            "You are not authorized to perform the requested action: Using a system-scoped token to create a "
            "project-scoped or domain-scoped token is not allowed.."
        )
    return standing.user, standing.token


def find_application_credential(tx: Transaction, named: ApplicationCredentialNamed) -> ApplicationCredential | None:
    """The application credential that is named, if it and its user are there; the trace tells why not."""
    if named.id:
        found = application_credentials.find(tx, named.id)
    else:
        user = None if named.user is None else find_user(tx, named.user)
        found = None if user is None else application_credentials.find_by_name(tx, user.id, named.name or "")
    if found is None:
        trace.note("sign_in", application_credential=named.id or named.name, let_in=False, why="there is none")
    return found


def by_application_credential(tx: Transaction, checked: ApplicationCredential) -> tuple[User, ApplicationCredential]:
    """Who signs in with an application credential whose secret was checked a moment ago. Raises Unauthenticated."""
    found = application_credentials.find(tx, checked.id)
    if found is None or found.secret_hash != checked.secret_hash:
        raise wording.refused("the application credential changed while its secret was checked")
    if found.expires_at is not None and found.expires_at <= tx.now:
        raise wording.refused(f"application credential {found.id} has expired")
    user = users.find(tx, found.user_id)
    if user is None or not user.enabled:
        raise wording.refused("the user of the application credential is disabled")
    return user, found


def by_passcode(tx: Transaction, named: UserNamed, passcode: str) -> User:
    """Who signs in with a one-time password. Raises Unauthenticated."""
    user = find_user(tx, named)
    if user is None or not one_time_passwords.accepts(tx, user.id, passcode):
        raise wording.refused("the passcode is none of the user's")
    return user


def find_trust(tx: Transaction, trust_id: str, user: User) -> Trust:
    """The trust that a trustee signs in with. Raises Unauthenticated when it is not there, Forbidden for anybody else."""
    try:
        trust = trusts.get(tx, trust_id)
    except NotFound as error:
        raise wording.refused(error.message) from error
    if trust.trustee_user_id != user.id:
        raise Forbidden("User is not a trustee.")
    return trust


def find_scope(tx: Transaction, asked: ScopeNamed | None, user: User) -> Scope | None:
    """The scope of a new token: what was asked for, else the user's default project where that is good, else none.

    Raises Unauthenticated when it is not there or disabled; Invalid when a name comes without a domain.
    """
    if asked is None:
        return _default_scope(tx, user)
    if asked.unscoped:
        return None
    if asked.system:
        return SYSTEM
    if asked.project is not None:
        return project_scope(_find_project(tx, asked.project).id)
    if asked.domain is not None:
        return domain_scope(_require_domain(tx, asked.domain).id)
    return None


def _default_scope(tx: Transaction, user: User) -> Scope | None:
    if user.default_project_id is None:
        return None
    try:
        project = projects.get(tx, user.default_project_id)
        above = None if project.domain_id is None else domains.get(tx, project.domain_id)
    except NotFound:
        return None
    scope = project_scope(project.id)
    if not project.enabled or above is None or not above.enabled:
        return None
    return scope if assignments.effective_roles(tx, user.id, scope) else None


def _find_project(tx: Transaction, named: ProjectNamed) -> Project:
    if named.name:
        if named.domain is None:
            raise wording.expecting("domain", "project")
        found = projects.find_by_name(tx, _require_domain(tx, named.domain).id, named.name)
        if found is None:
            raise wording.refused(f"there is no project {named.name}")
    else:
        try:
            found = projects.get(tx, named.id or "")
        except NotFound as error:
            raise wording.refused(error.message) from error
        if found.domain_id is None:
            raise wording.refused(f"{found.id} is a domain, not a project")
        _require_domain(tx, DomainNamed(id=found.domain_id))
    if not found.enabled:
        raise wording.refused(f"project {found.id} is disabled")
    return found


def _find_domain(tx: Transaction, named: DomainNamed) -> Project | None:
    return domains.called(tx, named.name) if named.name else domains.find(tx, named.id)


def _require_domain(tx: Transaction, named: DomainNamed) -> Project:
    found = _find_domain(tx, named)
    if found is None or not found.enabled:
        raise wording.refused(f"domain {named.name or named.id} is not there or disabled")
    return found
