"""Credentials: secrets that belong to a user, such as EC2 key pairs and the seeds of one-time passwords."""

import hashlib
from typing import Any

import msgspec

from minicloud.base.errors import Conflict, Forbidden, Invalid
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.identity import wording
from minicloud.core.records import Query
from minicloud.engines.database import Transaction

OWN_METHODS = frozenset({"password", "token", "totp"})
"""Ways to sign in as oneself; a token got in any other way was delegated and may not manage secrets."""

_BOUND = ("trust_id", "app_cred_id", "access_token_id", "access_id")


class Credential(records.Record, kw_only=True):
    """A credential. ``blob`` is the secret: JSON text for ``ec2``, a base32 seed for ``totp``, anything for other types."""

    TABLE = "credentials"
    MISSING = "Could not find credential: {id}."

    id: str
    user_id: str
    project_id: str | None = None
    type: str
    blob: str
    extra: dict[str, Any] = {}


def is_delegated(context: Context) -> bool:
    """Whether a token stands for somebody by delegation: a trust, an application credential, an EC2 signature."""
    return context.trust_id is not None or not (context.methods and OWN_METHODS.issuperset(context.methods))


def require_own(context: Context) -> None:
    """Raises Forbidden for a delegated token: credentials are for their owners alone."""
    if is_delegated(context):
        raise Forbidden(
            "You are not authorized to perform the requested action: Delegated tokens cannot access credentials directly."
        )


def find(tx: Transaction, credential_id: str) -> Credential | None:
    """The credential with this id, or None."""
    return records.find(tx, Credential, credential_id)


def get(tx: Transaction, credential_id: str) -> Credential:
    """The credential with this id. Raises NotFound."""
    return records.get(tx, Credential, credential_id)


def page(tx: Transaction, query: Query) -> list[Credential]:
    """One page of credentials."""
    return records.page(tx, Credential, query)


def of_user(tx: Transaction, user_id: str, type: str) -> list[Credential]:
    """A user's credentials of one type, by id."""
    return records.select(tx, Credential, "user_id = ? AND type = ? ORDER BY id", [user_id, type])


def ec2_id(access: str) -> str:
    """The id of the credential that has an access key."""
    return hashlib.sha256(access.encode()).hexdigest()


def ec2_blob(blob: str) -> dict[str, Any]:
    """What an EC2 credential's blob holds. Raises Invalid when it is no JSON document with an access key."""
    try:
        found: Any = msgspec.json.decode(blob)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Invalid("Invalid blob in credential") from error
    if not isinstance(found, dict) or not found:
        raise wording.expecting("blob", "credential")
    if not isinstance(found.get("access"), str):
        raise wording.expecting("access", "credential")
    return found


def create(tx: Transaction, credential: Credential) -> Credential:
    """Add a credential; an EC2 one is found again by its access key. Raises Invalid, Conflict."""
    if credential.type.lower() == "ec2":
        if credential.project_id is None:
            raise Invalid("'project_id' is a required property", kind="body")
        credential = credential.with_(id=ec2_id(ec2_blob(credential.blob)["access"]))
    try:
        return records.insert(tx, credential)
    except Conflict as error:
        raise Conflict(
            "Conflict occurred attempting to store credential - Duplicate entry found with the same access key.",
            kind="duplicate",
        ) from error


def update(tx: Transaction, credential_id: str, changes: dict[str, Any], extra: dict[str, Any]) -> Credential:
    """Change a credential; what an EC2 one is bound to stays. Raises NotFound, Invalid."""
    old = get(tx, credential_id)
    if old.type.lower() == "ec2" and "blob" in changes:
        before, after = ec2_blob(old.blob), ec2_blob(changes["blob"])
        for key in _BOUND:
            if before.get(key) != after.get(key):
                raise Invalid(f"{key} can not be updated for credential")
    if extra:
        changes["extra"] = {**old.extra, **extra}
    return records.change(tx, old, **changes) if changes else old


def delete(tx: Transaction, credential_id: str) -> None:
    """Remove a credential. Raises NotFound."""
    records.remove(tx, get(tx, credential_id))


def forget_user(tx: Transaction, user_id: str) -> None:
    """Remove everything that a user had."""
    tx.execute("DELETE FROM credentials WHERE user_id = ?", [user_id])


def forget_project(tx: Transaction, project_id: str) -> None:
    """Remove everything that was made for a project."""
    tx.execute("DELETE FROM credentials WHERE project_id = ?", [project_id])
