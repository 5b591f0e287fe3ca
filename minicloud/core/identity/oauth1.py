"""OAuth 1.0a: a consumer asks for access to a project, a user authorizes it with some roles, and the consumer acts as the user.

A request token becomes an access token once; an access token opens identity until it ends or is taken back. All of a
consumer goes with it, and what a user let others have goes with the user.
"""

from datetime import timedelta
from typing import Any, ClassVar, TypeVar

from minicloud.base import trace
from minicloud.base.clock import moment, stamp
from minicloud.base.errors import Forbidden, NotFound, Unauthenticated
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.identity import assignments, credentials, oauth1_signatures, projects, roles, users, wording
from minicloud.core.identity.application_credentials import RoleNamed
from minicloud.core.identity.assignments import project_scope
from minicloud.core.identity.oauth1_signatures import Signed
from minicloud.core.identity.roles import Role
from minicloud.core.identity.users import User
from minicloud.core.records import Query
from minicloud.engines.database import Transaction

REQUESTED_FOR, ACCESS_FOR = timedelta(hours=8), timedelta(hours=24)
"""How long tokens of each kind last: Keystone's defaults."""
VERIFIER_LETTERS = "abcdefghkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Letters of a verifier: none that people take for another."""


class Consumer(records.Record, kw_only=True):
    """A program of somebody else's that may ask."""

    TABLE = "oauth1_consumers"
    MISSING: ClassVar[str] = "Consumer not found"

    id: str
    secret: str
    description: str | None = None
    extra: dict[str, Any] = {}


class RequestToken(records.Record, kw_only=True):
    """What a consumer asks for. Authorized once ``verifier`` is set."""

    TABLE = "oauth1_request_tokens"
    MISSING: ClassVar[str] = "Request token not found"

    id: str
    secret: str
    consumer_id: str
    project_id: str
    user_id: str | None = None
    role_ids: list[str] = []
    verifier: str | None = None
    expires_at: str


class AccessToken(records.Record, kw_only=True):
    """What a consumer may: act as a user in a project, with some of the user's roles."""

    TABLE = "oauth1_access_tokens"
    MISSING: ClassVar[str] = "Access token not found"

    id: str
    secret: str
    consumer_id: str
    user_id: str
    project_id: str
    role_ids: list[str] = []
    expires_at: str


T = TypeVar("T", RequestToken, AccessToken)


def consumers(tx: Transaction, query: Query) -> list[Consumer]:
    """One page of consumers."""
    return records.page(tx, Consumer, query)


def create_consumer(tx: Transaction, description: str | None, extra: dict[str, Any]) -> Consumer:
    """A consumer with a secret of its own."""
    return records.insert(tx, Consumer(id=tx.ids.hex(), secret=tx.ids.hex(), description=description, extra=extra))


def update_consumer(tx: Transaction, consumer_id: str, fields: dict[str, Any], extra: dict[str, Any]) -> Consumer:
    """Change its description and what else is said of it. Raises NotFound."""
    old = records.get(tx, Consumer, consumer_id)
    return records.change(tx, old, **fields, extra=old.extra | extra)


def delete_consumer(tx: Transaction, consumer_id: str) -> None:
    """Remove it and all that it may. Raises NotFound."""
    records.remove(tx, records.get(tx, Consumer, consumer_id))


def request(tx: Transaction, signed: Signed, project_id: str) -> RequestToken:
    """Ask for access to a project. Raises NotFound for consumer and project, Unauthenticated for a bad signature, Invalid."""
    consumer_id = signed["oauth_consumer_key"]
    project = projects.get(tx, project_id)
    consumer = records.get(tx, Consumer, consumer_id)
    _check(tx, signed, consumer.secret)
    trace.note("oauth1_requested", consumer=consumer.id, project=project.id)
    ends = stamp(moment(tx.now) + REQUESTED_FOR)
    made = RequestToken(
        id=tx.ids.hex(), secret=tx.ids.hex(), consumer_id=consumer.id, project_id=project.id, expires_at=ends
    )
    return records.insert(tx, made)


def authorize(tx: Transaction, context: Context, token_id: str, wanted: list[RoleNamed]) -> RequestToken:
    """Let a consumer have some of one's own roles in the project that it asked for.

    Raises NotFound for token and roles, Unauthenticated when it has expired or one lacks a role, Forbidden by delegation.
    """
    if credentials.is_delegated(context):
        raise Forbidden("Cannot authorize a request token with a token issued via delegation.")
    asked = _living(tx, records.get(tx, RequestToken, token_id), "Request token is expired")
    role_ids = [_role(tx, named).id for named in wanted]
    held = {role.id for role in assignments.effective_roles(tx, context.user_id, project_scope(asked.project_id))}
    if not held.issuperset(role_ids):
        raise Unauthenticated("authorizing user does not have role required")
    letters = [VERIFIER_LETTERS[byte % len(VERIFIER_LETTERS)] for byte in bytes.fromhex(tx.ids.hex())[:8]]
    return records.change(
        tx, asked, user_id=context.user_id, role_ids=list(dict.fromkeys(role_ids)), verifier="".join(letters)
    )


def exchange(tx: Transaction, signed: Signed) -> AccessToken:
    """Turn an authorized request token into an access token, once. Raises NotFound, Unauthenticated, Invalid."""
    consumer_id, token_id, verifier = (signed[name] for name in ("oauth_consumer_key", "oauth_token", "oauth_verifier"))
    asked = _living(tx, records.get(tx, RequestToken, token_id), "Request token is expired")
    consumer = records.find(tx, Consumer, consumer_id)
    if consumer is None:
        raise Unauthenticated("Provided consumer does not exist.")
    if asked.consumer_id != consumer.id:
        raise Unauthenticated("Provided consumer key does not match stored consumer key.")
    _check(tx, signed, consumer.secret, asked.secret)
    if asked.verifier is None or asked.verifier != verifier:
        raise Unauthenticated("Provided verifier does not match stored verifier")
    if asked.user_id is None:
        raise Unauthenticated("Request Token does not have an authorizing user id.")
    records.remove(tx, asked)
    trace.note("oauth1_authorized", consumer=consumer.id, user=asked.user_id, project=asked.project_id)
    made = AccessToken(
        id=tx.ids.hex(),
        secret=tx.ids.hex(),
        consumer_id=consumer.id,
        user_id=asked.user_id,
        project_id=asked.project_id,
        role_ids=asked.role_ids,
        expires_at=stamp(moment(tx.now) + ACCESS_FOR),
    )
    return records.insert(tx, made)


def signer(tx: Transaction, signed: Signed) -> tuple[User, AccessToken]:
    """Who signs in with an access token, and with which. Raises NotFound, Unauthenticated, Invalid."""
    token_id = signed["oauth_token"]
    found = _living(tx, records.get(tx, AccessToken, token_id), "Access token is expired")
    consumer = records.get(tx, Consumer, found.consumer_id)
    if signed["oauth_consumer_key"] != consumer.id:
        raise wording.refused("the access token is another consumer's")
    _check(tx, signed, consumer.secret, found.secret)
    user = users.find(tx, found.user_id)
    if user is None or not user.enabled:
        raise wording.refused("the user of the access token is disabled")
    return user, found


def access_tokens(tx: Transaction, user_id: str) -> list[AccessToken]:
    """What a user let consumers have."""
    return records.select(tx, AccessToken, "user_id = ? ORDER BY id", [user_id])


def access_token(tx: Transaction, user_id: str, token_id: str) -> AccessToken:
    """One of them. Raises NotFound."""
    found = records.get(tx, AccessToken, token_id)
    if found.user_id != user_id:
        raise NotFound(AccessToken.MISSING)
    return found


def take_back(tx: Transaction, user_id: str, token_id: str) -> None:
    """A consumer has this no more. Raises NotFound."""
    found = access_token(tx, user_id, token_id)
    trace.note("oauth1_taken_back", consumer=found.consumer_id, user=user_id, project=found.project_id)
    records.remove(tx, found)


def roles_of(tx: Transaction, token: AccessToken) -> list[Role]:
    """The roles that an access token hands on, those that are still there."""
    return [role for role in (records.find(tx, Role, role_id) for role_id in token.role_ids) if role is not None]


def _role(tx: Transaction, named: RoleNamed) -> Role:
    if named.id:
        return roles.get(tx, named.id)
    found = roles.find_by_name(tx, named.name or "")
    if found is None:
        raise NotFound(f"Could not find role: {named.name}.")
    return found


def _living(tx: Transaction, token: T, refusal: str) -> T:
    if token.expires_at <= tx.now:
        raise Unauthenticated(refusal)
    return token


def _check(tx: Transaction, signed: Signed, consumer_secret: str, token_secret: str = "") -> None:
    oauth1_signatures.check(signed, moment(tx.now).timestamp())
    if not oauth1_signatures.matches(signed, consumer_secret, token_secret):
        raise Unauthenticated("Invalid signature")
