"""How identity reads a request for a token: which methods, for which user, in which scope."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api import bodies
from minicloud.api.bodies import Body
from minicloud.base.errors import Invalid
from minicloud.core.identity import wording
from minicloud.core.identity.sign_in import DomainNamed, ProjectNamed, ScopeNamed, UserNamed

METHODS = ("password", "token")


class TokenCreate(Body, open=True):
    """The document of ``POST /v3/auth/tokens``."""

    auth: dict[str, Any] | UnsetType | None = UNSET


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a token, understood. ``methods`` are those asked for, once each."""

    methods: list[str]
    user: UserNamed | None = None
    password: str = ""
    token: str | None = None
    scope: ScopeNamed | None = None


class _Auth(msgspec.Struct):
    identity: dict[str, Any]
    scope: dict[str, Any] | str | UnsetType | None = UNSET


class _Identity(msgspec.Struct):
    methods: list[str]


class _PasswordUser(msgspec.Struct):
    id: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    password: str | UnsetType | None = UNSET
    domain: dict[str, Any] | UnsetType = UNSET


class _PasswordMethod(msgspec.Struct):
    user: dict[str, Any] | UnsetType = UNSET


class _TokenMethod(msgspec.Struct):
    id: str


class _Named(msgspec.Struct):
    id: str | UnsetType = UNSET
    name: str | UnsetType = UNSET


class _ProjectNamed(msgspec.Struct):
    id: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    domain: dict[str, Any] | UnsetType = UNSET


class _System(msgspec.Struct):
    all: bool | UnsetType = UNSET


def sign_in(body: TokenCreate) -> SignIn:
    """What a request for a token asks for. Raises Invalid; Unauthenticated for methods that this cloud does not have."""
    if not body.auth:
        raise wording.expecting("auth", "request body")
    auth = bodies.convert(body.auth, _Auth)
    methods = list(dict.fromkeys(bodies.convert(auth.identity, _Identity).methods))
    user, password, token = None, "", None
    if "password" in auth.identity:
        user, password = _password(auth.identity["password"], required="password" in methods)
    if "token" in auth.identity:
        token = bodies.convert(auth.identity["token"], _TokenMethod).id
    for method in methods:
        if method not in auth.identity:
            raise wording.expecting(method, "identity")
    for method in methods:
        if method not in METHODS:
            raise wording.unsupported_method(method)
    return SignIn(
        methods=methods,
        user=user if "password" in methods else None,
        password=password,
        token=token if "token" in methods else None,
        scope=_scope(auth.scope),
    )


def _password(document: Any, *, required: bool) -> tuple[UserNamed | None, str]:
    found = bodies.convert(document, _PasswordMethod)
    if found.user is UNSET:
        if required:
            raise wording.expecting("user", "password")
        return None, ""
    user = bodies.convert(found.user, _PasswordUser)
    if user.id is UNSET and user.name is UNSET:
        raise _nameless("identity/password/user")
    domain = None if user.domain is UNSET else _domain(user.domain, "identity/password/user/domain")
    named = UserNamed(id=user.id or None, name=user.name or None, domain=domain)
    return named, user.password or ""


def _scope(document: dict[str, Any] | str | UnsetType | None) -> ScopeNamed | None:
    if document is UNSET or document is None:
        return None
    if isinstance(document, str):
        document = {document: {}}
    if sum(name in document for name in ("project", "domain", "unscoped", "system", "OS-TRUST:trust")) != 1:
        raise wording.expecting("system, project, domain, OS-TRUST:trust or unscoped", "scope")
    if "OS-TRUST:trust" in document:
        raise wording.refused("trusts are not there")
    if "project" in document:
        project = bodies.convert(document["project"], _ProjectNamed)
        if project.id is UNSET and project.name is UNSET:
            raise _nameless("scope/project")
        domain = None if project.domain is UNSET else _domain(project.domain, "scope/project/domain")
        return ScopeNamed(project=ProjectNamed(id=project.id or None, name=project.name or None, domain=domain))
    if "domain" in document:
        return ScopeNamed(domain=_domain(document["domain"], "scope/domain"))
    if "system" in document:
        bodies.convert(document["system"], _System)
        return ScopeNamed(system=True)
    return ScopeNamed(unscoped=True)


def _domain(document: Any, where: str) -> DomainNamed:
    found = bodies.convert(document, _Named)
    if found.id is UNSET and found.name is UNSET:
        raise _nameless(where)
    return DomainNamed(id=found.id or None, name=found.name or None)


def _nameless(where: str) -> Invalid:
    return Invalid(f"Invalid input for field {where}: id or name must be present.", kind="body")
