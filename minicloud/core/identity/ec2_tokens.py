"""Signing in with an EC2 or S3 signature: whose access key it is, whether the secret key made the signature, and whether in time."""

import re
from datetime import UTC, datetime, timedelta
from typing import Protocol

from minicloud.base.clock import moment
from minicloud.base.errors import Invalid, NotFound
from minicloud.core.identity import credentials, projects, sign_in, wording
from minicloud.core.identity.projects import Project
from minicloud.core.identity.sign_in import UserNamed
from minicloud.core.identity.users import User
from minicloud.engines.database import Transaction

LASTS = timedelta(minutes=15)
"""How long a signature is good for: Keystone's ``auth_ttl``."""


class SignedRequest(Protocol):
    """A request with the access key of whoever signed it."""

    @property
    def access(self) -> str: ...

    def timestamp(self) -> str | None:
        """When it was signed, by its own word."""

    def made_with(self, secret: str) -> bool:
        """Whether its signature was made with this secret."""


def signer(tx: Transaction, signed: SignedRequest) -> tuple[User, Project]:
    """The user and the project of a signature. Raises NotFound for an unknown key, Unauthenticated, Invalid."""
    found = credentials.find(tx, credentials.ec2_id(signed.access))
    if found is None or found.type.lower() != "ec2" or found.project_id is None:
        raise NotFound("EC2 access key not found.")
    secret = credentials.ec2_blob(found.blob).get("secret")
    if not isinstance(secret, str) or not signed.made_with(secret):
        raise wording.refused("the EC2 signature was not made with the secret key")
    _check_time(tx, signed.timestamp())
    user = sign_in.find_user(tx, UserNamed(id=found.user_id))
    if user is None:
        raise wording.refused("the user of the EC2 credential is disabled")
    project = projects.get(tx, found.project_id)
    if not project.enabled:
        raise wording.refused("the project of the EC2 credential is disabled")
    return user, project


def _check_time(tx: Transaction, text: str | None) -> None:
    """A signature that says when it was made holds for a while only."""
    if text is None:
        return
    if re.fullmatch(r"\d{8}T\d{6}Z", text):
        text = f"{text[:4]}-{text[4:6]}-{text[6:11]}:{text[11:13]}:{text[13:]}"
    try:
        made = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"The timestamp of the signature is no moment: {text!r}") from error
    made = made.replace(tzinfo=UTC) if made.tzinfo is None else made
    if moment(tx.now) > made + LASTS:
        raise wording.refused("the EC2 signature is too old")
