"""Passwords: hashed with argon2id, checked in a thread because that takes long by design, and not twice if they are the same.

A check that succeeded is remembered, under a key that only this process has, together with the very hash that it was
checked against: a changed password is another entry, and memory holds nothing that could be tried offline.
"""

import hashlib
import hmac
import os
import secrets
from base64 import b64encode
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal

import anyio.to_thread
from anyio import CapacityLimiter
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

Cost = Literal["normal", "cheap"]
LARGEST_CACHE = 2_000
LIGHT_KIBIBYTES = 1_024
"""Up to this much memory a check costs less than going to a thread."""


class Passwords:
    """Makes and checks password hashes. ``cheap`` is for clouds that live as long as a test: it protects nothing."""

    def __init__(self, cost: Cost = "normal") -> None:
        if cost == "normal":
            self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        else:
            self._hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._limiter = CapacityLimiter(os.cpu_count() or 1)
        self._nobody = self._unmatchable()

    def hash_now(self, password: str) -> str:
        """The hash of a password, in the caller's own thread: for the first start."""
        return self._hasher.hash(password)

    async def hash(self, password: str) -> str:
        """The hash of a password, without holding anybody up."""
        if self._hasher.memory_cost <= LIGHT_KIBIBYTES:
            return self.hash_now(password)
        return await anyio.to_thread.run_sync(self._hasher.hash, password, limiter=self._limiter)

    def hash_beside(self, password: str) -> "Future[str]":
        """Begin to hash a password in a thread of its own, for whoever has other things to do meanwhile and waits later."""
        if self._hasher.memory_cost <= LIGHT_KIBIBYTES:
            hashed: Future[str] = Future()
            hashed.set_result(self.hash_now(password))
            return hashed
        thread = ThreadPoolExecutor(1, "hashing")
        try:
            return thread.submit(self.hash_now, password)
        finally:
            thread.shutdown(wait=False)

    async def verify(self, user_id: str | None, password_hash: str | None, password: str) -> bool:
        """Whether a password is the one behind a user's hash.

        For nobody, and for a user without a password, it takes as long as for a wrong password.
        """
        if user_id is None or password_hash is None:
            await self._check(self._nobody, password)
            return False
        key = self._remembered_as(user_id, password_hash, password)
        if key in self._known:
            self._known.move_to_end(key)
            return True
        if not await self._check(password_hash, password):
            return False
        self.remember(user_id, password_hash, password)
        return True

    def remember(self, user_id: str, password_hash: str, password: str) -> None:
        """These belong together, as a check or their maker knows: checking them takes no time from now on."""
        self._known[self._remembered_as(user_id, password_hash, password)] = None
        if len(self._known) > LARGEST_CACHE:
            self._known.popitem(last=False)

    def forget(self) -> None:
        """Check everybody's password anew."""
        self._known.clear()

    async def _check(self, password_hash: str, password: str) -> bool:
        try:
            light = extract_parameters(password_hash).memory_cost <= LIGHT_KIBIBYTES
        except InvalidHashError:
            return False
        if light:
            return self._matches(password_hash, password)
        return await anyio.to_thread.run_sync(self._matches, password_hash, password, limiter=self._limiter)

    def _matches(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    def _remembered_as(self, *parts: str) -> bytes:
        whole = b"".join(len(raw).to_bytes(4, "big") + raw for raw in (part.encode() for part in parts))
        return hmac.digest(self._key, whole, hashlib.sha256)

    def _unmatchable(self) -> str:
        """A hash of this cost that no password has: its digest is random."""
        h = self._hasher
        salt, digest = (b64encode(os.urandom(size)).decode().rstrip("=") for size in (h.salt_len, h.hash_len))
        return f"$argon2id$v=19$m={h.memory_cost},t={h.time_cost},p={h.parallelism}${salt}${digest}"
