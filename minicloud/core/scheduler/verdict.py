"""A verdict: whether a host may take a server, and the numbers or words that decided it; and what a filter is."""

from collections.abc import Sequence
from operator import attrgetter
from typing import ClassVar, Protocol

import msgspec

from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """Passed or not. ``why`` is a clause that can follow the host's name: ``is disabled (maintenance)``.

    ``for_all``: the request asks nothing of this filter, so that every host would get the same verdict.
    """

    passed: bool
    why: str
    for_all: bool = False


class Filter(Protocol):
    """Says of one host whether it may take a server. Pure; ``name`` is Nova's."""

    name: str

    def passes(self, host: HostState, request: RequestSpec) -> Verdict:
        """The verdict on one host."""


class Weigher(Protocol):
    """Says how good a host is; scores are put on a common scale afterwards. ``name`` is Nova's, ``setting`` that of its
    multiplier, which aggregates may set for their hosts."""

    name: str
    setting: str

    def score(self, host: HostState, request: RequestSpec) -> float:
        """More is better, in any unit."""

    def scores(self, hosts: Sequence[HostState], request: RequestSpec) -> Sequence[float] | None:
        """The scores of many hosts; None where all are alike, because the request says nothing to it or no host does."""
        return [self.score(host, request) for host in hosts]


class OwnNumber(Weigher, Protocol):
    """A weigher whose score is a number of the host, whatever is asked for; ``field`` names it."""

    field: ClassVar[str]

    def score(self, host: HostState, request: RequestSpec) -> float:
        number: float = getattr(host, self.field)
        return number

    def scores(self, hosts: Sequence[HostState], request: RequestSpec) -> Sequence[float] | None:
        return list(map(attrgetter(self.field), hosts))
