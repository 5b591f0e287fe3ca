"""One-time passwords by the clock (TOTP, RFC 6238): six digits, a new one each 30 seconds, HMAC-SHA-1 of a base32 seed."""

import base64
import binascii
import hashlib
import hmac
import struct

from minicloud.base.clock import moment
from minicloud.core.identity import credentials
from minicloud.engines.database import Transaction

PERIOD_S = 30
DIGITS = 6
WINDOWS_BEFORE = 1
"""Passcodes of so many periods before the present one count too: clocks differ, and people type slowly."""


def passcode(seed: str, seconds: float) -> str | None:
    """The passcode of a seed at a moment (seconds since 1970); None when the seed is no base32."""
    try:
        key = base64.b32decode(seed + "=" * (-len(seed) % 8))
    except (binascii.Error, ValueError):
        return None
    digest = hmac.digest(key, struct.pack(">Q", int(seconds) // PERIOD_S), hashlib.sha1)
    at = digest[-1] & 15
    number = int.from_bytes(digest[at : at + 4], "big") & 0x7FFFFFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def accepts(tx: Transaction, user_id: str, given: str) -> bool:
    """Whether a passcode is one of the user's now."""
    now = moment(tx.now).timestamp()
    right = False
    for credential in credentials.of_user(tx, user_id, "totp"):
        for window in range(WINDOWS_BEFORE + 1):
            code = passcode(credential.blob, now - window * PERIOD_S)
            if code is not None and hmac.compare_digest(code.encode(), given.encode()):
                right = True
    return right
