"""Keypairs over HTTP: public keys that a user brings or, before 2.92, has made here (``/os-keypairs``)."""

import re
from typing import Annotated, Any, Literal

import anyio.to_thread
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body, Name
from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.listing import Listing
from minicloud.api.microversions import NotNull, RequiredSince, Since
from minicloud.api.routes import Delete, Get, Post
from minicloud.base.errors import Invalid
from minicloud.core.compute import keypairs, keys
from minicloud.core.compute.keypairs import KeyPair
from minicloud.core.policy import ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:os-keypairs"
OWNER = f"({ADMIN}) or user_id:%(user_id)s"
KEYPAIRS = Listing(name="keypairs", sort_keys={"name": "name"}, sort=[("name", False)], links_when_full=True)
_OLD_NAME, _NAME = re.compile(r"[_\- a-zA-Z0-9]+"), re.compile(r"[_\-@. a-zA-Z0-9]+")


class KeypairCreate(Body, wrap="keypair"):
    """The body of POST /os-keypairs."""

    name: Name
    public_key: Annotated[str | UnsetType, RequiredSince("2.92")] = UNSET
    type: Annotated[Literal["ssh", "x509"], Since("2.2")] = "ssh"
    user_id: Annotated[str | None, Since("2.10"), NotNull()] = None


class KeypairBrief(Body, wrap="keypair"):
    """A keypair in a listing."""

    name: str
    public_key: str
    fingerprint: str
    type: Annotated[str, Since("2.2")]


class KeypairMade(Body, wrap="keypair"):
    """A keypair as the answer to POST; ``private_key`` only this once, and only if it was made here."""

    name: str
    public_key: str
    fingerprint: str
    type: Annotated[str, Since("2.2")]
    user_id: str
    private_key: str | UnsetType = UNSET


class KeypairView(Body, wrap="keypair"):
    """A keypair with all its attributes."""

    name: str
    public_key: str
    fingerprint: str
    type: Annotated[str, Since("2.2")]
    user_id: str
    id: int
    created_at: str
    deleted: bool = False
    deleted_at: str | None = None
    updated_at: str | None = None


def _whose(call: Call, asked: str | None) -> str:
    """Whose keypairs the call is about; administrators may say, since 2.10. Raises Forbidden."""
    user_id = (asked if call.at_least("2.10") else None) or call.context.user_id
    call.judge({"user_id": user_id, "project_id": call.context.project_id})
    return user_id


async def index(call: Call) -> Any:
    """A user's keypairs, by name; in pages since 2.35."""
    queries.only(call, "user_id", "limit", "marker")
    user_id = _whose(call, call.parameter("user_id"))
    if not call.at_least("2.35"):
        return {"keypairs": [_brief(found) for found in await call.read(lambda tx: keypairs.page(tx, user_id))]}
    page = call.page

    def work(tx: Transaction) -> list[KeyPair]:
        return keypairs.page(tx, user_id, marker=page.query.marker, limit=page.query.limit)

    found, more = page.cut(await call.read(work))
    return page.document([_brief(one) for one in found], more=more, last_id=found[-1].name if found else None)


def _brief(found: KeyPair) -> dict[str, Any]:
    return {
        "keypair": KeypairBrief(
            name=found.name, public_key=found.public_key, fingerprint=found.fingerprint, type=found.type
        )
    }


async def show(call: Call, name: str) -> Any:
    """One keypair."""
    queries.only(call, "user_id")
    user_id = _whose(call, call.parameter("user_id"))
    found = await call.read(lambda tx: keypairs.get(tx, user_id, name))
    return KeypairView(
        name=found.name,
        public_key=found.public_key,
        fingerprint=found.fingerprint,
        type=found.type,
        user_id=found.user_id,
        id=found.id,
        created_at=found.created_at,
    )


async def create(call: Call, body: KeypairCreate) -> Any:
    """Import a public key, or make a pair."""
    pattern = _NAME if call.at_least("2.92") else _OLD_NAME
    name = queries.check_name("name", body.name)
    if not pattern.fullmatch(name):
        raise Invalid(
            f"Invalid input for field/attribute name. Value: {name}. {name!r} does not match '^{pattern.pattern}$'",
            field="name",
        )
    user_id = _whose(call, body.user_id)
    private_key: str | UnsetType = UNSET
    public_key = body.public_key
    if isinstance(public_key, UnsetType):
        made = await anyio.to_thread.run_sync(keys.make_ssh if body.type == "ssh" else lambda: keys.make_x509(user_id))
        public_key, private_key = made.public_key, made.private_key
    given = public_key
    fingerprint = await anyio.to_thread.run_sync(keys.fingerprint, given, body.type)

    def work(tx: Transaction) -> KeyPair:
        return keypairs.create(
            tx,
            project_id=call.context.project_id,
            user_id=user_id,
            name=name,
            kind=body.type,
            fingerprint=fingerprint,
            public_key=given,
        )

    found = await call.write(work)
    return KeypairMade(
        name=found.name,
        public_key=found.public_key,
        fingerprint=found.fingerprint,
        type=found.type,
        user_id=found.user_id,
        private_key=private_key,
    )


async def delete(call: Call, name: str) -> None:
    """Servers keep the key they have."""
    queries.only(call, "user_id")
    user_id = _whose(call, call.parameter("user_id"))
    await call.write(lambda tx: keypairs.delete(tx, user_id, name))


routes = [
    Get("/os-keypairs", index, policy=f"{POLICY}:index", allow=OWNER, late=True, listing=KEYPAIRS),
    Post("/os-keypairs", create, policy=f"{POLICY}:create", allow=OWNER, late=True, status={"2.1": 200, "2.2": 201}),
    Get("/os-keypairs/{name}", show, policy=f"{POLICY}:show", allow=OWNER, late=True),
    Delete(
        "/os-keypairs/{name}",
        delete,
        policy=f"{POLICY}:delete",
        allow=OWNER,
        late=True,
        status={"2.1": 202, "2.2": 204},
    ),
]
