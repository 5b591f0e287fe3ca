"""Tokens of OAuth 1.0a (OS-OAUTH1): asked for and had by consumers with signed requests, authorized and taken back by users."""

from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from starlette.responses import Response

from minicloud.api import bodies
from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.identity import views
from minicloud.api.identity.application_credentials import RoleReference, role_named
from minicloud.api.identity.targets import ADMIN
from minicloud.api.identity.views import View
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base.errors import Invalid, NotFound
from minicloud.core.identity import credentials, oauth1, oauth1_signatures
from minicloud.core.identity.oauth1 import AccessToken, RequestToken
from minicloud.core.identity.oauth1_signatures import Signed
from minicloud.core.identity.roles import Role
from minicloud.core.policy import OF_PROJECTS
from minicloud.core.records import Transaction

FORM = "application/x-www-form-urlencoded"


class Authorization(Body, open=True):
    """The roles that a user hands on."""

    roles: list[dict[str, Any]] = []


class _Roles(msgspec.Struct):
    roles: Annotated[list[RoleReference], msgspec.Meta(min_length=1)]


def signed(call: Call, body: bytes = b"") -> Signed:
    """What a request says that was signed. Raises Invalid where it was signed in no way that is known."""
    query = call.request.scope.get("query_string", b"").decode("latin-1")
    form: list[tuple[str, str]] = []
    if (call.header("content-type") or "").split(";")[0].strip().lower() == FORM:
        form = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    return Signed(
        verb=call.request.method,
        url=f"{call.public_url}{call.request.scope['path']}{'?' if query else ''}{query}",
        form=tuple(form),
        header=oauth1_signatures.parameters(call.header("authorization")),
    )


async def request(call: Call, body: bytes) -> Response:
    """``POST /v3/OS-OAUTH1/request_token``, by a consumer."""
    asked = signed(call, body)
    project_id = call.header("requested-project-id")
    asked["oauth_consumer_key"]
    if not project_id:
        raise Invalid("Expecting to find Requested-Project-Id in request.")
    return _told(await call.write(lambda tx: oauth1.request(tx, asked, project_id)))


async def exchange(call: Call, body: bytes) -> Response:
    """``POST /v3/OS-OAUTH1/access_token``, by a consumer that was authorized."""
    asked = signed(call, body)
    return _told(await call.write(lambda tx: oauth1.exchange(tx, asked)))


def _told(token: RequestToken | AccessToken) -> Response:
    said = {"oauth_token": token.id, "oauth_token_secret": token.secret, "oauth_expires_at": f"{token.expires_at}Z"}
    return Response(urlencode(said, safe=":"), status_code=201, media_type=FORM)


async def authorize(call: Call, request_token_id: str, body: Authorization) -> View:
    """``PUT /v3/OS-OAUTH1/authorize/{request_token_id}``, by a user: the verifier is for the consumer."""
    named = [role_named(one) for one in bodies.convert({"roles": body.roles}, _Roles).roles]
    found = await call.write(lambda tx: oauth1.authorize(tx, call.context, request_token_id, named))
    return {"token": {"oauth_verifier": found.verifier}}


def _view(call: Call, found: AccessToken) -> View:
    here = f"/users/{found.user_id}/OS-OAUTH1/access_tokens/{found.id}"
    return {
        "id": found.id,
        "consumer_id": found.consumer_id,
        "authorizing_user_id": found.user_id,
        "project_id": found.project_id,
        "expires_at": f"{found.expires_at}Z",
        "links": {"roles": call.url(f"{here}/roles"), "self": call.url(here)},
    }


async def index(call: Call, user_id: str) -> View:
    """``GET /v3/users/{user_id}/OS-OAUTH1/access_tokens``"""
    credentials.require_own(call.context)
    found = await call.read(lambda tx: oauth1.access_tokens(tx, user_id))
    return views.collection(call, "access_tokens", [_view(call, one) for one in found])


async def show(call: Call, user_id: str, access_token_id: str) -> View:
    """``GET /v3/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}``"""
    credentials.require_own(call.context)
    return {"access_token": _view(call, await call.read(lambda tx: oauth1.access_token(tx, user_id, access_token_id)))}


async def delete(call: Call, user_id: str, access_token_id: str) -> None:
    """``DELETE /v3/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}``: tokens got with it are void at once."""
    credentials.require_own(call.context)

    def remove(tx: Transaction) -> None:
        oauth1.take_back(tx, user_id, access_token_id)
        tx.after_commit(call.means.forget_tokens)

    await call.write(remove)


async def list_roles(call: Call, user_id: str, access_token_id: str) -> View:
    """``GET /v3/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}/roles``"""
    found = await _roles_of(call, user_id, access_token_id)
    return views.collection(call, "roles", [views.role(call, role) for role in found])


async def show_role(call: Call, user_id: str, access_token_id: str, role_id: str) -> View:
    """``GET /v3/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}/roles/{role_id}``"""
    for role in await _roles_of(call, user_id, access_token_id):
        if role.id == role_id:
            return {"role": views.role(call, role)}
    raise NotFound(f"Could not find role: {role_id}.")


async def _roles_of(call: Call, user_id: str, access_token_id: str) -> list[Role]:
    def read(tx: Transaction) -> list[Role]:
        return oauth1.roles_of(tx, oauth1.access_token(tx, user_id, access_token_id))

    return await call.read(read)


_ALL = "/users/{user_id}/OS-OAUTH1/access_tokens"
_ONE = f"{_ALL}/{{access_token_id}}"

_ADMINS: dict[str, Any] = {"allow": ADMIN, "scopes": OF_PROJECTS}

routes = [
    Post("/OS-OAUTH1/request_token", request, policy=None, open=True, status=201),
    Post("/OS-OAUTH1/access_token", exchange, policy=None, open=True, status=201),
    Put("/OS-OAUTH1/authorize/{request_token_id}", authorize, policy="identity:authorize_request_token", **_ADMINS),
    Get(_ALL, index, policy="identity:list_access_tokens", **_ADMINS),
    Get(_ONE, show, policy="identity:get_access_token", **_ADMINS),
    Delete(_ONE, delete, policy="identity:delete_access_token", **_ADMINS),
    Get(f"{_ONE}/roles", list_roles, policy="identity:list_access_token_roles", **_ADMINS),
    Get(f"{_ONE}/roles/{{role_id}}", show_role, policy="identity:get_access_token_role", **_ADMINS),
]
