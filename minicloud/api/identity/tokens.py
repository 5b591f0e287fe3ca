"""Tokens: signing in, asking about a token, and revoking it."""

import secrets

import msgspec

from minicloud.api.auth import digest
from minicloud.api.call import Call, Reply
from minicloud.api.identity import oauth1_tokens, views
from minicloud.api.identity import sign_in as signing
from minicloud.api.identity.passwords import Passwords
from minicloud.api.identity.sign_in import SignIn, TokenCreate
from minicloud.api.identity.targets import OF_ALL
from minicloud.api.listing import truth
from minicloud.api.routes import Delete, Get, Head, Post, Route, scoped
from minicloud.base import trace
from minicloud.base.errors import NotFound
from minicloud.core.identity import catalog, oauth1, password_rules, sign_in, tokens, trusts, wording
from minicloud.core.identity.application_credentials import ApplicationCredential
from minicloud.core.identity.assignments import project_scope
from minicloud.core.identity.catalog import CatalogService
from minicloud.core.identity.oauth1 import AccessToken
from minicloud.core.identity.oauth1_signatures import Signed
from minicloud.core.identity.password_rules import PasswordRules
from minicloud.core.identity.sign_in import ApplicationCredentialNamed, UserNamed
from minicloud.core.identity.tokens import Standing, Token
from minicloud.core.identity.users import User
from minicloud.core.records import Transaction

CHECK = "rule:admin_required or (role:reader and system_scope:all) or rule:token_subject"
VALIDATE = "rule:admin_required or (role:reader and system_scope:all) or rule:service_role or rule:token_subject"
REVOKE = "rule:admin_required or rule:token_subject"


def new_secret() -> str:
    """A token's secret: 256 random bits as text that goes into headers."""
    return f"gAAAAAB{secrets.token_urlsafe(32)}"


class Issued(msgspec.Struct, frozen=True):
    """A new token: its secret, what it stands on, and the catalog if that was asked for."""

    secret: str
    standing: Standing
    catalog: list[CatalogService] | None


class Tokens:
    """Handlers that issue tokens; they know how passwords are checked and how long a token lasts."""

    def __init__(self, passwords: Passwords, rules: PasswordRules, token_hours: float) -> None:
        self._passwords = passwords
        self._rules = rules
        self._hours = token_hours

    async def create(self, call: Call, body: TokenCreate) -> Reply:
        """``POST /v3/auth/tokens``: the document in the body, the secret in a header."""
        issued = await self.sign_in(call, signing.sign_in(body), with_catalog=call.parameter("nocatalog") is None)
        return Reply(views.token(issued.standing, issued.catalog), 201, _headers(issued.secret))

    async def sign_in(self, call: Call, asked: SignIn, *, with_catalog: bool) -> Issued:
        """A token for whoever a request is from. Raises Unauthenticated, Forbidden, NotFound, Invalid."""
        checked = _Checked(
            None if asked.user is None else await self._check_password(call, asked.user, asked.password),
            None
            if asked.application_credential is None
            else await self._check_secret(call, asked.application_credential, asked.secret),
        )
        signed = oauth1_tokens.signed(call) if "oauth1" in asked.methods else None
        secret = new_secret()

        def issue(tx: Transaction) -> Issued:
            who = _who(tx, self._rules, asked, checked, signed)
            sign_in.check_methods(who.user, who.methods, signing.METHODS)
            standing = _issue(tx, asked, who, digest(secret), self._hours)
            return Issued(secret, standing, catalog_for(tx, call, standing) if with_catalog else None)

        issued = await call.write(issue)
        trace.note("sign_in", user=issued.standing.user.id, let_in=True, methods=issued.standing.token.methods)
        return issued

    async def _check_password(self, call: Call, named: UserNamed, password: str) -> User:
        found = await call.read(lambda tx: self._not_locked(tx, named))
        if found is None:
            await self._passwords.verify(None, None, password)
            raise wording.refused("there is no such user, or it is disabled")
        if not await self._passwords.verify(found.id, found.password_hash, password):
            trace.note("sign_in", user=found.id, let_in=False, why="the password is another one")
            if self._rules.lockout_attempts:
                await call.write(lambda tx: password_rules.note_failure(tx, self._rules, found))
            raise wording.refused("wrong password")
        return found

    def _not_locked(self, tx: Transaction, named: UserNamed) -> User | None:
        found = sign_in.find_user(tx, named)
        if found is not None:
            password_rules.check_locked(tx, self._rules, found)
        return found

    async def _check_secret(self, call: Call, named: ApplicationCredentialNamed, secret: str) -> ApplicationCredential:
        found = await call.read(lambda tx: sign_in.find_application_credential(tx, named))
        if found is None:
            await self._passwords.verify(None, None, secret)
            raise wording.refused("there is no such application credential")
        if not await self._passwords.verify(found.id, found.secret_hash, secret):
            trace.note("sign_in", application_credential=found.id, let_in=False, why="the secret is another one")
            raise wording.refused("wrong secret")
        return found


class _Checked(msgspec.Struct, frozen=True):
    """What was found, and its secret checked, before the token's own transaction."""

    user: User | None
    application_credential: ApplicationCredential | None


class _Who(msgspec.Struct, frozen=True):
    """Whom all methods agree on, by which methods, with which token, application credential or access token."""

    user: User
    methods: list[str]
    parent: Token | None
    application_credential: ApplicationCredential | None
    access_token: AccessToken | None


def _who(tx: Transaction, rules: PasswordRules, asked: SignIn, checked: _Checked, signed: Signed | None) -> _Who:
    found: list[User] = []
    parent, credential, access, methods = None, None, None, list(asked.methods)
    if checked.user is not None:
        found.append(sign_in.recheck(tx, rules, checked.user.id, checked.user.password_hash or ""))
    if asked.passcode_user is not None:
        found.append(sign_in.by_passcode(tx, asked.passcode_user, asked.passcode))
    if checked.application_credential is not None:
        user, credential = sign_in.by_application_credential(tx, checked.application_credential)
        found.append(user)
    if signed is not None:
        user, access = oauth1.signer(tx, signed)
        found.append(user)
    if asked.token is not None:
        user, parent = sign_in.by_token(tx, digest(asked.token), asked.scope)
        found.append(user)
        methods = list(dict.fromkeys([*parent.methods, *methods]))
    if not found:
        raise wording.refused("no method named a user")
    if len({user.id for user in found}) > 1:
        raise wording.refused("the methods are of different users")
    return _Who(found[0], methods, parent, credential, access)


def _issue(tx: Transaction, asked: SignIn, who: _Who, token_id: str, hours: float) -> Standing:
    """The token, in the scope that was asked for, or that its trust, application credential or access token has."""
    trust, credential, access = None, who.application_credential, who.access_token
    if asked.scope is not None and asked.scope.trust_id is not None:
        trust = sign_in.find_trust(tx, asked.scope.trust_id, who.user)
        scope = None if trust.project_id is None else project_scope(trust.project_id)
        latest = trust.expires_at
    elif credential is not None:
        scope, latest = project_scope(credential.project_id), credential.expires_at
    elif access is not None:
        scope, latest = project_scope(access.project_id), access.expires_at
    else:
        scope, latest = sign_in.find_scope(tx, asked.scope, who.user), None
    standing = tokens.issue(
        tx,
        token_id=token_id,
        user=who.user,
        methods=who.methods,
        scope=scope,
        hours=hours,
        parent=who.parent,
        trust=trust,
        application_credential_id=None if credential is None else credential.id,
        access_token_id=None if access is None else access.id,
        ends_at_latest=latest,
    )
    if trust is not None:
        trusts.consume(tx, trust)
    return standing


async def show(call: Call) -> Reply:
    """``GET /v3/auth/tokens``: what the token in X-Subject-Token stands on now."""
    secret = call.header("x-subject-token")
    expired_too = truth(call.parameter("allow_expired") or "0")
    with_catalog = call.parameter("nocatalog") is None

    def read(tx: Transaction) -> tuple[Standing, list[CatalogService] | None]:
        standing = _subject(tx, call, secret, expired_too=expired_too)
        return standing, catalog_for(tx, call, standing) if with_catalog else None

    standing, services = await call.read(read)
    return Reply(views.token(standing, services), 200, _headers(secret or ""))


async def check(call: Call) -> Reply:
    """``HEAD /v3/auth/tokens``: whether the token in X-Subject-Token is good."""
    return await show(call)


async def revoke(call: Call) -> None:
    """``DELETE /v3/auth/tokens``: void the token in X-Subject-Token and, unless told otherwise, those got with it."""
    secret = call.header("x-subject-token")
    chain = truth(call.parameter("cascade") or "true")

    def write(tx: Transaction) -> None:
        standing = _subject(tx, call, secret)
        tokens.revoke(tx, standing.token, chain=chain)
        tx.after_commit(call.means.forget_tokens)

    await call.write(write)


def _subject(tx: Transaction, call: Call, secret: str | None, *, expired_too: bool = False) -> Standing:
    """The token that is asked about, if whoever asks may. Raises NotFound when it is void, Forbidden."""
    if not secret:
        call.judge({"user_id": call.context.user_id})
        raise NotFound("No token in the request")
    standing = tokens.show(tx, digest(secret), allow_expired=expired_too)
    call.judge({"user_id": call.context.user_id, "target.token.user_id": standing.user.id})
    return standing


def catalog_for(tx: Transaction, call: Call, standing: Standing) -> list[CatalogService] | None:
    """The catalog as the bearer of a token sees it; None without a scope."""
    if standing.token.scope is None:
        return None
    return catalog.render(
        tx, public_url=call.public_url, project_id=standing.token.project_id, user_id=standing.user.id
    )


def _headers(secret: str) -> dict[str, str]:
    return {"X-Subject-Token": secret, "Vary": "X-Auth-Token"}


def routes(made: Tokens) -> list[Route]:
    """The lines of this file."""
    return scoped(
        OF_ALL,
        [
            Post("/auth/tokens", made.create, policy=None, open=True, status=201),
            Get("/auth/tokens", show, policy="identity:validate_token", allow=VALIDATE, late=True),
            Head("/auth/tokens", check, policy="identity:check_token", allow=CHECK, late=True),
            Delete("/auth/tokens", revoke, policy="identity:revoke_token", allow=REVOKE, late=True),
        ],
    )
