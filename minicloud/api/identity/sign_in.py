"""How identity reads a request for a token: which methods, for which user, in which scope."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api import bodies
from minicloud.api.bodies import Body
from minicloud.base.errors import Invalid
from minicloud.core.identity import wording
from minicloud.core.identity.sign_in import (
    ApplicationCredentialNamed,
    DomainNamed,
    ProjectNamed,
    ScopeNamed,
    UserNamed,
)

METHODS = ("password", "token", "application_credential", "totp", "oauth1")


class TokenCreate(Body, open=True):
    """The document of ``POST /v3/auth/tokens``."""

    auth: dict[str, Any] | UnsetType | None = UNSET


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a token, understood. ``methods`` are those asked for, once each."""

    methods: list[str]
    user: UserNamed | None = None
    password: str = ""
    token: str | None = None
    passcode_user: UserNamed | None = None
    passcode: str = ""
    application_credential: ApplicationCredentialNamed | None = None
    secret: str = ""
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


class _TotpUser(msgspec.Struct):
    passcode: str
    id: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    domain: dict[str, Any] | UnsetType = UNSET


class _TotpMethod(msgspec.Struct):
    user: _TotpUser


class _ApplicationCredentialUser(msgspec.Struct):
    id: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    domain: dict[str, Any] | UnsetType = UNSET


class _ApplicationCredentialMethod(msgspec.Struct):
    secret: str
    id: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    user: _ApplicationCredentialUser | UnsetType = UNSET


class _Trust(msgspec.Struct):
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
    passcode_user, passcode = _totp(auth.identity["totp"]) if "totp" in methods else (None, "")
    credential, secret = None, ""
    scope = _scope(auth.scope)
    if "application_credential" in methods:
        credential, secret = _application_credential(auth.identity["application_credential"])
        if scope is not None:
            raise wording.refused("application credentials cannot request a scope")
    if "oauth1" in methods and scope is not None:
        raise wording.refused("an access token has its own scope")
    return SignIn(
        methods=methods,
        user=user if "password" in methods else None,
        password=password,
        token=token if "token" in methods else None,
        passcode_user=passcode_user,
        passcode=passcode,
        application_credential=credential,
        secret=secret,
        scope=scope,
    )


def _totp(document: Any) -> tuple[UserNamed, str]:
    user = bodies.convert(document, _TotpMethod).user
    return _user_named(user.id, user.name, user.domain, "identity/totp/user"), user.passcode


def _application_credential(document: Any) -> tuple[ApplicationCredentialNamed, str]:
    found = bodies.convert(document, _ApplicationCredentialMethod)
    if found.id is not UNSET and found.id:
        return ApplicationCredentialNamed(id=found.id), found.secret
    where = "identity/application_credential"
    if found.name is UNSET or not found.name:
        raise _nameless(where)
    if found.user is UNSET:
        raise wording.expecting("user", where)
    user = _user_named(found.user.id, found.user.name, found.user.domain, f"{where}/user")
    return ApplicationCredentialNamed(name=found.name, user=user), found.secret


def _user_named(
    id: str | UnsetType, name: str | UnsetType, domain: dict[str, Any] | UnsetType, where: str
) -> UserNamed:
    if id is UNSET and name is UNSET:
        raise _nameless(where)
    named = None if domain is UNSET else _domain(domain, f"{where}/domain")
    return UserNamed(id=id or None, name=name or None, domain=named)


def _password(document: Any, *, required: bool) -> tuple[UserNamed | None, str]:
    found = bodies.convert(document, _PasswordMethod)
    if found.user is UNSET:
        if required:
            raise wording.expecting("user", "password")
        return None, ""
    user = bodies.convert(found.user, _PasswordUser)
    named = _user_named(user.id, user.name, user.domain, "identity/password/user")
    return named, user.password or ""


def _scope(document: dict[str, Any] | str | UnsetType | None) -> ScopeNamed | None:
    if document is UNSET or document is None:
        return None
    if isinstance(document, str):
        document = {document: {}}
    if sum(name in document for name in ("project", "domain", "unscoped", "system", "OS-TRUST:trust")) != 1:
        raise wording.expecting("system, project, domain, OS-TRUST:trust or unscoped", "scope")
    if "OS-TRUST:trust" in document:
        return ScopeNamed(trust_id=bodies.convert(document["OS-TRUST:trust"], _Trust).id)
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
