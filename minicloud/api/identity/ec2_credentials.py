"""EC2 credentials of a user: access and secret keys that this cloud makes, for one project each."""

from typing import Any

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.identity import views
from minicloud.api.identity.credentials import OWNER, READ, about
from minicloud.api.identity.targets import ADMIN, ADMIN_OR_SYSTEM_READER
from minicloud.api.identity.views import View
from minicloud.api.routes import Delete, Get, Post
from minicloud.base.errors import Unauthenticated
from minicloud.core.identity import credentials, projects, users
from minicloud.core.identity.credentials import Credential
from minicloud.core.records import Transaction

LIST = f"{ADMIN_OR_SYSTEM_READER} or rule:owner"
MANAGE = f"({ADMIN}) or (role:member and {OWNER})"


class KeyWanted(Body, open=True):
    """For which project a pair of keys shall be."""

    tenant_id: str


def _view(call: Call, found: Credential) -> View:
    blob = credentials.ec2_blob(found.blob)
    return {
        "user_id": found.user_id,
        "tenant_id": found.project_id,
        "access": blob["access"],
        "secret": blob.get("secret"),
        "trust_id": blob.get("trust_id"),
        "links": views.links(call, f"/users/{found.user_id}/credentials/OS-EC2/{blob['access']}"),
    }


def _judged(tx: Transaction, call: Call, user_id: str, access: str) -> Credential:
    found = credentials.get(tx, credentials.ec2_id(access))
    call.judge({"user_id": user_id, **about(found.user_id)})
    users.get(tx, user_id)
    if found.type != "ec2":
        raise Unauthenticated("EC2 access key not found.")
    credentials.require_own(call.context)
    return found


async def index(call: Call, user_id: str) -> View:
    """``GET /v3/users/{user_id}/credentials/OS-EC2``"""
    call.judge({"user_id": user_id})
    credentials.require_own(call.context)

    def read(tx: Transaction) -> list[Credential]:
        users.get(tx, user_id)
        return credentials.of_user(tx, user_id, "ec2")

    return views.collection(call, "credentials", [_view(call, found) for found in await call.read(read)])


async def create(call: Call, user_id: str, body: KeyWanted) -> View:
    """``POST /v3/users/{user_id}/credentials/OS-EC2``"""
    call.judge({"user_id": user_id, **about(user_id)})

    def add(tx: Transaction) -> Credential:
        users.get(tx, user_id)
        projects.get(tx, body.tenant_id)
        credentials.require_own(call.context)
        keys: dict[str, Any] = {"access": tx.ids.hex(), "secret": tx.ids.hex(), "trust_id": None}
        return credentials.create(
            tx,
            Credential(
                id="",
                user_id=user_id,
                project_id=body.tenant_id,
                type="ec2",
                blob=msgspec.json.encode(keys).decode(),
            ),
        )

    return {"credential": _view(call, await call.write(add))}


async def show(call: Call, user_id: str, credential_id: str) -> View:
    """``GET /v3/users/{user_id}/credentials/OS-EC2/{credential_id}``"""
    return {"credential": _view(call, await call.read(lambda tx: _judged(tx, call, user_id, credential_id)))}


async def delete(call: Call, user_id: str, credential_id: str) -> None:
    """``DELETE /v3/users/{user_id}/credentials/OS-EC2/{credential_id}``"""
    await call.write(lambda tx: credentials.delete(tx, _judged(tx, call, user_id, credential_id).id))


_ALL, _ONE = "/users/{user_id}/credentials/OS-EC2", "/users/{user_id}/credentials/OS-EC2/{credential_id}"

routes = [
    Get(_ALL, index, policy="identity:ec2_list_credentials", allow=LIST, late=True),
    Post(_ALL, create, policy="identity:ec2_create_credential", allow=MANAGE, late=True, status=201),
    Get(_ONE, show, policy="identity:ec2_get_credential", allow=READ, late=True),
    Delete(_ONE, delete, policy="identity:ec2_delete_credential", allow=MANAGE, late=True),
]
