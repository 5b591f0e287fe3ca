"""Identifiers as something one is handed: random ones for users, repeatable ones for a test that wants the same cloud twice."""

import random
import uuid
from typing import Protocol


class Ids(Protocol):
    """Hands out identifiers. Keepers: ``RandomIds``, ``SeededIds``."""

    def uuid(self) -> str:
        """A new UUID with dashes, as Nova, Neutron, Cinder and Glance write it."""

    def hex(self) -> str:
        """A new identifier of 32 hexadecimal digits, as Keystone writes it."""


class RandomIds:
    """Identifiers nobody can guess."""

    def uuid(self) -> str:
        return str(uuid.uuid4())

    def hex(self) -> str:
        return uuid.uuid4().hex


class SeededIds:
    """The same identifiers in the same order for the same seed. For tests: never for secrets."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def hex(self) -> str:
        return uuid.UUID(int=self._random.getrandbits(128), version=4).hex


def new_request_id() -> str:
    """``req-`` and a UUID, as OpenStack clients send and receive it."""
    return f"req-{uuid.uuid4()}"


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
