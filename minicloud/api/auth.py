"""Who asks: a token to the context of its request, with a cache so that a token's bearer is looked up once.

Tokens are opaque secrets; rows and cache hold only their hash. ``forget`` is called after the commit of whatever tokens
stand on: a revocation, a disabled user, a role taken away.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping

from minicloud.base.clock import Clock, stamp
from minicloud.base.errors import NotFound, Unauthenticated
from minicloud.core.context import Context
from minicloud.core.identity import tokens
from minicloud.core.records import Database

LARGEST_CACHE = 10_000
REFUSAL = "The request you have made requires authentication."


def digest(secret: str) -> str:
    """The hash under which a token is known."""
    return hashlib.sha256(secret.encode()).hexdigest()


def secret_of(headers: Mapping[str, str]) -> str | None:
    """The token that a request was sent with: in X-Auth-Token, or as clients of OAuth 2.0 do it, by ``Authorization: Bearer``."""
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    return headers.get("x-auth-token") or (bearer.strip() if scheme.lower() == "bearer" else None)


class Authenticator:
    """Turns tokens to contexts. Only those that were found are remembered: a guess costs the guesser a look-up each time."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: OrderedDict[str, Context] = OrderedDict()
        self._changes = 0

    async def context(self, secret: str) -> Context:
        """Who bears this token. Raises Unauthenticated when nobody does any more."""
        key = digest(secret)
        found = self._known.get(key)
        if found is None:
            found = await self._look_up(key)
        if found.expires_at <= stamp(self._clock.now()):
            self._known.pop(key, None)
            raise Unauthenticated(REFUSAL)
        return found

    async def _look_up(self, key: str) -> Context:
        changes = self._changes
        try:
            found = await self._database.read(lambda tx: tokens.context(tx, key))
        except NotFound as error:
            raise Unauthenticated(REFUSAL) from error
        # What was read before somebody changed it must not be remembered after.
        if changes == self._changes:
            self._known[key] = found
            if len(self._known) > LARGEST_CACHE:
                self._known.popitem(last=False)
        return found

    def forget(self) -> None:
        """Look everybody up again: something that tokens stand on has changed."""
        self._changes += 1
        self._known.clear()
