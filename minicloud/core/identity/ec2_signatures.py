"""Signatures of AWS's kind, versions 0, 1, 2 and 4, computed anew from what was signed and a secret key."""

import base64
import hashlib
import hmac
import re
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from minicloud.base.errors import Invalid

ALGORITHM = "AWS4-HMAC-SHA256"


class Signed(msgspec.Struct, kw_only=True):
    """A signed request as whoever received it tells of it; ``body_hash`` is the SHA-256 of the body, in hexadecimal."""

    access: str
    signature: str | None = None
    host: str = ""
    verb: str = "GET"
    path: str = "/"
    params: dict[str, Any] = {}
    headers: dict[str, Any] = {}
    body_hash: str = ""

    def timestamp(self) -> str | None:
        """When it was signed, by its own word; None where it does not say."""
        found = self.params.get("Timestamp") or self.headers.get("X-Amz-Date") or self.params.get("X-Amz-Date")
        return None if found is None else str(found)

    def made_with(self, secret: str) -> bool:
        """Whether the signature was made with this secret. Raises Invalid for a version that is not known."""
        return matches(self, secret)


def matches(signed: Signed, secret: str) -> bool:
    """Whether the signature was made with this secret; some clients sign the host without its port.

    Raises Invalid for a version of signatures that is not known.
    """
    if not signed.signature:
        return False
    hosts = [signed.host]
    if ":" in signed.host:
        hosts.append(_without_port(signed.host))
    return any(
        hmac.compare_digest(
            signed.signature.encode(), signature(msgspec.structs.replace(signed, host=host), secret).encode()
        )
        for host in hosts
    )


def signature(signed: Signed, secret: str) -> str:
    """What the signature should be. Raises Invalid for an unknown version or one that lacks what it needs."""
    match signed.params.get("SignatureVersion"):
        case "0":
            return _short(secret, f"{signed.params.get('Action', '')}{signed.params.get('Timestamp', '')}")
        case "1":
            names = sorted(signed.params, key=str.lower)
            return _short(secret, "".join(f"{name}{signed.params[name]}" for name in names))
        case "2":
            params = {**signed.params, "SignatureMethod": "HmacSHA256"}
            text = f"{signed.verb}\n{signed.host}\n{signed.path}\n{_query(params)}"
            return base64.b64encode(hmac.digest(secret.encode(), text.encode(), hashlib.sha256)).decode()
        case version if _is_version_4(signed):
            return _version_4(signed, secret)
        case None:
            raise Invalid("Unexpected signature format")
        case version:
            raise Invalid(f"Unknown signature version: {version}")


def _without_port(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError as error:
        raise Invalid(f"The host {host!r} of the signed request is none") from error


def _short(secret: str, text: str) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), hashlib.sha1)).decode()


def _query(params: dict[str, Any]) -> str:
    return "&".join(f"{quote(name, safe='')}={quote(str(params[name]), safe='-_~')}" for name in sorted(params))


def _is_version_4(signed: Signed) -> bool:
    header = signed.headers.get("Authorization")
    return (isinstance(header, str) and header.startswith(ALGORITHM)) or signed.params.get(
        "X-Amz-Algorithm"
    ) == ALGORITHM


def _version_4(signed: Signed, secret: str) -> str:
    names = _parameter(signed, "SignedHeaders")
    credential = _parameter(signed, "Credential").split("/")
    if len(credential) != 5:
        raise Invalid("The credential of the signature should be key/date/region/service/aws4_request")
    date = str(signed.headers.get("X-Amz-Date") or signed.params.get("X-Amz-Date") or "")
    if not date.startswith(credential[1]):
        raise Invalid("Request date mismatch error")
    canonical = "\n".join(
        (
            signed.verb.upper(),
            signed.path,
            "" if signed.verb.upper() == "POST" else _query(signed.params),
            _headers(signed, names),
            names,
            signed.body_hash,
        )
    )
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join((ALGORITHM, date, "/".join(credential[1:]), hashed))
    key = f"AWS4{secret}".encode()
    for part in credential[1:4]:
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    key = hmac.digest(key, b"aws4_request", hashlib.sha256)
    return hmac.digest(key, text.encode(), hashlib.sha256).hex()


def _parameter(signed: Signed, name: str) -> str:
    """A part of the Authorization header, or the query parameter in its place."""
    header = signed.headers.get("Authorization")
    if isinstance(header, str):
        return header.partition(f"{name}=")[2].split(",")[0]
    return str(signed.params.get(f"X-Amz-{name}") or "")


def _headers(signed: Signed, names: str) -> str:
    found = {name.lower().strip(): str(value).strip() for name, value in signed.headers.items()}
    if "host" in found and signed.host and signed.host == found["host"].split(":")[0]:
        found["host"] = signed.host
    # Boto before 2.9.3 signed the host without its port.
    if "host" in found and re.match(r"Boto/2\.[0-9]\.[0-2]", found.get("user-agent", "")):
        found["host"] = found["host"].split(":")[0]
    return "".join(f"{name}:{found[name]}\n" for name in names.split(";") if name in found) or "\n"
