"""Signatures of OAuth 1.0a (RFC 5849) by HMAC or in plain text, computed anew from a request and two secrets."""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import msgspec

from minicloud.base.errors import Invalid

HMACS = {"HMAC-SHA1": hashlib.sha1, "HMAC-SHA256": hashlib.sha256, "HMAC-SHA512": hashlib.sha512}
PLAINTEXT = "PLAINTEXT"
"""The two secrets themselves: for connections that nobody else reads."""
METHODS = (*HMACS, PLAINTEXT)
LASTS_S = 600
"""How far the timestamp of a request may be from now."""

_PAIR = re.compile(r'\s*([^\s="]+)\s*=\s*"([^"]*)"\s*')


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """A signed request: its whole address with the query, the parameters of a form in its body, and those of its header
    ``Authorization``."""

    verb: str = "POST"
    url: str
    form: tuple[tuple[str, str], ...] = ()
    header: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        """A parameter of the header. Raises Invalid where it is missing."""
        found = self.header.get(name)
        if not found:
            raise Invalid(
                f"Expecting to find {name} in request. The server could not comply with the request since it is either "
                "malformed or otherwise incorrect. The client is assumed to be in error."
            )
        return found


def parameters(authorization: str | None) -> dict[str, str]:
    """The parameters of a header ``Authorization: OAuth ...``. Raises Invalid for anything else."""
    scheme, _, rest = (authorization or "").partition(" ")
    if scheme.lower() != "oauth":
        raise Invalid("Cannot retrieve Authorization headers")
    found: dict[str, str] = {}
    for part in rest.split(","):
        match = _PAIR.fullmatch(part)
        if match is None or match[1] in found:
            raise Invalid("Malformed authorization header")
        found[match[1]] = unquote(match[2])
    return found


def check(signed: Signed, now_s: float) -> None:
    """Raises Invalid for a request that is signed in another way, or was signed long ago or is yet to be signed."""
    if signed.header.get("oauth_version", "1.0") != "1.0" or signed["oauth_signature_method"] not in METHODS:
        raise Invalid(
            "Validation failed with errors: invalid_request, detail message is: only OAuth 1.0 with one of "
            f"{', '.join(METHODS)}."
        )
    stamp = signed["oauth_timestamp"]
    if not stamp.isdecimal() or len(stamp) > 12 or abs(int(stamp) - now_s) > LASTS_S:
        raise Invalid(
            "Validation failed with errors: invalid_request, detail message is: Timestamp given is invalid, differ from "
            f"allowed by over {LASTS_S} seconds."
        )
    signed["oauth_nonce"]


def matches(signed: Signed, consumer_secret: str, token_secret: str = "") -> bool:
    """Whether the signature was made with these secrets."""
    expected = signature(signed, consumer_secret, token_secret)
    return hmac.compare_digest(expected.encode(), signed["oauth_signature"].encode())


def signature(signed: Signed, consumer_secret: str, token_secret: str = "") -> str:
    """What the signature should be. Raises Invalid for a method that is none of ``METHODS``."""
    key = f"{_escaped(consumer_secret)}&{_escaped(token_secret)}"
    method = signed["oauth_signature_method"]
    if method == PLAINTEXT:
        return key
    if method not in HMACS:
        raise Invalid(f"Unknown signature method: {method}")
    return base64.b64encode(hmac.digest(key.encode(), base_string(signed).encode(), HMACS[method])).decode()


def base_string(signed: Signed) -> str:
    """What is signed: the verb, the address without query and without the scheme's own port, all parameters in order."""
    parts = urlsplit(signed.url)
    host = parts.netloc.lower()
    usual = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    address = f"{parts.scheme.lower()}://{host.removesuffix(usual) if usual else host}{parts.path or '/'}"
    given = [*parse_qsl(parts.query, keep_blank_values=True), *signed.form]
    given += [item for item in signed.header.items() if item[0] not in ("realm", "oauth_signature")]
    return "&".join(_escaped(part) for part in (signed.verb.upper(), address, _normalized(given)))


def _normalized(given: Iterable[tuple[str, str]]) -> str:
    return "&".join(f"{name}={value}" for name, value in sorted((_escaped(n), _escaped(v)) for n, v in given))


def _escaped(text: str) -> str:
    return quote(text, safe="~")
