"""Who asks: a token to the context of its request, with a cache so that a token's bearer is looked up once.

Tokens are opaque secrets; rows and cache hold only their hash. ``forget`` is called after the commit that revokes.
"""

import hashlib
from collections import OrderedDict

from minicloud.base.clock import Clock, stamp
from minicloud.base.errors import NotFound, Unauthenticated
from minicloud.core.context import Context
from minicloud.core.identity import tokens
from minicloud.engines.database import Database

LARGEST_CACHE = 10_000


def digest(secret: str) -> str:
    """The hash under which a token is known."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Authenticator:
    """Turns tokens to contexts."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: OrderedDict[str, Context] = OrderedDict()

    async def context(self, secret: str) -> Context:
        """Who bears this token. Raises Unauthenticated when nobody does any more."""
        key = digest(secret)
        known = self._known.get(key)
        if known is not None:
            found = known
        else:
            try:
                found = await self._database.read(lambda tx: tokens.context(tx, key))
            except NotFound as error:
                raise Unauthenticated("The request you have made requires authentication.") from error
            self._known[key] = found
            if len(self._known) > LARGEST_CACHE:
                self._known.popitem(last=False)
        if found.expires_at <= stamp(self._clock.now()):
            self._known.pop(key, None)
            raise Unauthenticated("The request you have made requires authentication.")
        return found

    def forget(self, token_id: str | None = None) -> None:
        """Drop one token, or all of them, from the cache: something that they stand on has changed."""
        if token_id is None:
            self._known.clear()
        else:
            self._known.pop(token_id, None)
