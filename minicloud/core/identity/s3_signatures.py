"""Signatures of requests to an S3 service, of AWS's versions 2 and 4: the service tells the very string that was signed."""

import base64
import binascii
import hashlib
import hmac
from typing import Any

import msgspec

from minicloud.base.errors import Unauthenticated

ALGORITHM = b"AWS4-HMAC-SHA256"
SERVICES = (b"s3", b"iam", b"sts")
"""Whose requests may be signed by version 4."""


class SignedText(msgspec.Struct, kw_only=True):
    """What was signed, ``token``, in base64; its signature; and what the request said of when."""

    access: str
    signature: str = ""
    token: str = ""
    params: dict[str, Any] = {}
    headers: dict[str, Any] = {}

    def timestamp(self) -> str | None:
        """When it was signed, by its own word; None where it does not say."""
        found = self.params.get("Timestamp") or self.headers.get("X-Amz-Date") or self.params.get("X-Amz-Date")
        return None if found is None else str(found)

    def made_with(self, secret: str) -> bool:
        """Whether the signature was made with this secret. Raises Unauthenticated for a text that is none to sign."""
        try:
            text = base64.urlsafe_b64decode(self.token)
        except (binascii.Error, ValueError) as error:
            raise Unauthenticated("Invalid EC2 signature.") from error
        expected = _version_4(text, secret) if text.startswith(b"AWS4") else _version_2(text, secret)
        return hmac.compare_digest(expected.encode(), self.signature.encode())


def _version_2(text: bytes, secret: str) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), text, hashlib.sha1)).decode()


def _version_4(text: bytes, secret: str) -> str:
    lines = text.split(b"\n")
    scope = lines[2].split(b"/") if len(lines) == 4 and lines[0] == ALGORITHM else []
    if len(scope) != 4 or scope[3] != b"aws4_request" or scope[2] not in SERVICES:
        raise Unauthenticated("Invalid EC2 signature.")
    key = f"AWS4{secret}".encode()
    for part in scope:
        key = hmac.digest(key, part, hashlib.sha256)
    return hmac.new(key, text, hashlib.sha256).hexdigest()
