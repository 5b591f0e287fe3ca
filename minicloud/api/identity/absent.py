"""What Keystone has and this cloud does not: each path of it answers 501 in words, to whoever has a token."""

from minicloud.api.call import Call
from minicloud.api.routes import Delete, Get, Patch, Post, Put
from minicloud.base.errors import NotOffered

EXTENSIONS = {
    "OS-FEDERATION": "federation (identity providers, mappings, SAML, OpenID Connect)",
    "OS-SIMPLE-CERT": "signing certificates",
}
DEEPEST = 6
"""Segments that a path of an extension has at most below its name."""


class Absent:
    """A handler that says what is not there; one method for each depth of paths, whose names a route line must give."""

    def __init__(self, what: str) -> None:
        self._error = f"This cloud does not have {what}: sign in with a password, an application credential or a trust."

    def _refuse(self) -> None:
        raise NotOffered(self._error)

    async def at_1(self, call: Call, a: str) -> None:
        """One segment below the extension."""
        self._refuse()

    async def at_2(self, call: Call, a: str, b: str) -> None:
        """Two segments."""
        self._refuse()

    async def at_3(self, call: Call, a: str, b: str, c: str) -> None:
        """Three segments."""
        self._refuse()

    async def at_4(self, call: Call, a: str, b: str, c: str, d: str) -> None:
        """Four segments."""
        self._refuse()

    async def at_5(self, call: Call, a: str, b: str, c: str, d: str, e: str) -> None:
        """Five segments."""
        self._refuse()

    async def at_6(self, call: Call, a: str, b: str, c: str, d: str, e: str, f: str) -> None:
        """Six segments, as many as there are anywhere."""
        self._refuse()


routes = [
    line(
        f"/{name}/{'/'.join('{' + letter + '}' for letter in 'abcdef'[:depth])}",
        getattr(Absent(what), f"at_{depth}"),
        policy=None,
    )
    for name, what in EXTENSIONS.items()
    for depth in range(1, DEEPEST + 1)
    for line in (Get, Post, Put, Patch, Delete)
]
