"""Identifiers as something one is handed: random ones for users, repeatable ones for a test that wants the same cloud twice."""

import os
import random
import threading
import uuid
from typing import Protocol

BATCH = 4096
"""Bytes of randomness that are fetched at once."""


class Ids(Protocol):
    """Hands out identifiers. Keepers: ``RandomIds``, ``SeededIds``."""

    def uuid(self) -> str:
        """A new UUID with dashes, as Nova, Neutron, Cinder and Glance write it."""

    def hex(self) -> str:
        """A new identifier of 32 hexadecimal digits, as Keystone writes it."""


class RandomIds:
    """Identifiers nobody can guess. Randomness is fetched for many at a time: each fetch gives up the interpreter's lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes = b""
        self._at = 0

    def uuid(self) -> str:
        digits = self.hex()
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def hex(self) -> str:
        with self._lock:
            if self._at >= len(self._bytes):
                self._bytes, self._at = os.urandom(BATCH), 0
            raw = bytearray(self._bytes[self._at : self._at + 16])
            self._at += 16
        raw[6] = raw[6] & 0x0F | 0x40
        raw[8] = raw[8] & 0x3F | 0x80
        return raw.hex()


class SeededIds:
    """The same identifiers in the same order for the same seed. For tests: never for secrets."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def hex(self) -> str:
        return uuid.UUID(int=self._random.getrandbits(128), version=4).hex


class RequestIds:
    """``req-`` and a UUID, as OpenStack clients send and receive it: unique, and no secret."""

    def __init__(self) -> None:
        self._random = random.Random(os.urandom(16))

    def new(self) -> str:
        """The next one."""
        return f"req-{uuid.UUID(int=self._random.getrandbits(128), version=4)}"


def is_request_id(text: str) -> bool:
    """Whether a client's text may be taken over as a (global) request id."""
    if not text.startswith("req-"):
        return False
    try:
        return str(uuid.UUID(text[4:])) == text[4:].lower()
    except ValueError:
        return False


def is_uuid(text: str) -> bool:
    """Whether the text is a UUID, with or without dashes."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
