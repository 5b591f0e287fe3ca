"""Tokens: signing in, asking about a token, and revoking it."""

import secrets

from minicloud.api.auth import digest
from minicloud.api.call import Call, Reply
from minicloud.api.identity import credentials, views
from minicloud.api.identity.credentials import SignIn, TokenCreate
from minicloud.api.identity.passwords import Passwords
from minicloud.api.listing import truth
from minicloud.api.routes import Delete, Get, Head, Post, Route
from minicloud.base import trace
from minicloud.base.errors import NotFound
from minicloud.core.identity import catalog, sign_in, tokens, wording
from minicloud.core.identity.catalog import CatalogService
from minicloud.core.identity.tokens import Standing, Token
from minicloud.core.identity.users import User
from minicloud.core.records import Transaction

CHECK = "rule:admin_required or (role:reader and system_scope:all) or rule:token_subject"
VALIDATE = "rule:admin_required or (role:reader and system_scope:all) or rule:service_role or rule:token_subject"
REVOKE = "rule:admin_required or rule:token_subject"


def new_secret() -> str:
    """A token's secret: 256 random bits as text that goes into headers."""
    return f"gAAAAAB{secrets.token_urlsafe(32)}"


class Tokens:
    """Handlers that issue tokens; they know how passwords are checked and how long a token lasts."""

    def __init__(self, passwords: Passwords, token_hours: float) -> None:
        self._passwords = passwords
        self._hours = token_hours

    async def create(self, call: Call, body: TokenCreate) -> Reply:
        """``POST /v3/auth/tokens``: the document in the body, the secret in a header."""
        asked = credentials.sign_in(body)
        checked = await self._check_password(call, asked) if asked.user is not None else None
        secret = new_secret()
        with_catalog = call.parameter("nocatalog") is None

        def issue(tx: Transaction) -> tuple[Standing, list[CatalogService] | None]:
            user, parent, methods = _who(tx, asked, checked)
            sign_in.check_methods(user, methods, credentials.METHODS)
            standing = tokens.issue(
                tx,
                token_id=digest(secret),
                user=user,
                methods=methods,
                scope=sign_in.find_scope(tx, asked.scope, user),
                hours=self._hours,
                parent=parent,
            )
            return standing, _catalog(tx, call, standing) if with_catalog else None

        standing, services = await call.write(issue)
        trace.note("sign_in", user=standing.user.id, let_in=True, methods=standing.token.methods)
        return Reply(views.token(standing, services), 201, _headers(secret))

    async def _check_password(self, call: Call, asked: SignIn) -> User:
        named = asked.user
        assert named is not None
        found = await call.read(lambda tx: sign_in.find_user(tx, named))
        if found is None:
            await self._passwords.verify(None, None, asked.password)
            raise wording.refused("there is no such user, or it is disabled")
        if not await self._passwords.verify(found.id, found.password_hash, asked.password):
            trace.note("sign_in", user=found.id, let_in=False, why="the password is another one")
            raise wording.refused("wrong password")
        return found


def _who(tx: Transaction, asked: SignIn, checked: User | None) -> tuple[User, Token | None, list[str]]:
    """The user whom all methods agree on, the token used if one was, and the methods that count for the new token."""
    user, parent, methods = None, None, list(asked.methods)
    if checked is not None:
        user = sign_in.recheck(tx, checked.id, checked.password_hash or "")
    if asked.token is not None:
        bearer, parent = sign_in.by_token(tx, digest(asked.token), asked.scope)
        if user is not None and user.id != bearer.id:
            raise wording.refused("password and token are of different users")
        user = bearer
        methods = list(dict.fromkeys([*parent.methods, *methods]))
    if user is None:
        raise wording.refused("no method named a user")
    return user, parent, methods


async def show(call: Call) -> Reply:
    """``GET /v3/auth/tokens``: what the token in X-Subject-Token stands on now."""
    secret = call.header("x-subject-token")
    expired_too = truth(call.parameter("allow_expired") or "0")
    with_catalog = call.parameter("nocatalog") is None

    def read(tx: Transaction) -> tuple[Standing, list[CatalogService] | None]:
        standing = _subject(tx, call, secret, expired_too=expired_too)
        return standing, _catalog(tx, call, standing) if with_catalog else None

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


def _catalog(tx: Transaction, call: Call, standing: Standing) -> list[CatalogService] | None:
    if standing.token.scope is None:
        return None
    return catalog.render(
        tx, public_url=call.public_url, project_id=standing.token.project_id, user_id=standing.user.id
    )


def _headers(secret: str) -> dict[str, str]:
    return {"X-Subject-Token": secret, "Vary": "X-Auth-Token"}


def routes(passwords: Passwords, token_hours: float) -> list[Route]:
    """The lines of this file."""
    made = Tokens(passwords, token_hours)
    return [
        Post("/auth/tokens", made.create, policy=None, open=True, status=201),
        Get("/auth/tokens", show, policy="identity:validate_token", allow=VALIDATE, late=True),
        Head("/auth/tokens", check, policy="identity:check_token", allow=CHECK, late=True),
        Delete("/auth/tokens", revoke, policy="identity:revoke_token", allow=REVOKE, late=True),
    ]
