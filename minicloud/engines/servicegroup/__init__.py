"""The servicegroup promise: which services are alive. Keepers: ``database`` (heartbeats in rows), ``memory`` (the fake).

A member is a service on a host, such as ``nova-compute@host-1``. Being alive is what its own side reports; whether the
operators disabled it or forced it down is the control side's own business and stands elsewhere.
"""

from typing import Protocol

import msgspec

REPORT_INTERVAL_S = 10.0
SERVICE_DOWN_TIME_S = 60.0


class Liveness(msgspec.Struct, frozen=True):
    """How a member is: ``seen`` is the stamp (``base.clock``) of its last heartbeat that was written down."""

    up: bool
    seen: str


class ServiceGroup(Protocol):
    """Knows who is alive. ``run`` must run for as long as anybody has joined."""

    @property
    def report_interval_s(self) -> float:
        """Seconds between two heartbeats."""

    @property
    def service_down_time_s(self) -> float:
        """Seconds of silence after which a member counts as down."""

    @property
    def down(self) -> frozenset[str]:
        """Members found down at the last look, at most an interval ago. May be read from any thread, so also inside a transaction."""

    async def join(self, *members: str) -> None:
        """These members live in this process from now on, and are up at once. Joining again is a fresh start."""

    async def leave(self, *members: str) -> None:
        """These members are gone for good and no longer listed; content with absence."""

    async def is_up(self, member: str) -> bool:
        """Whether the member's heart beats; False for one that nobody knows."""

    async def members(self) -> dict[str, Liveness]:
        """Every member that ever joined and did not leave."""

    def silence(self, member: str) -> None:
        """The member's heart stops, as when its agent is stopped or by a fault: down after ``service_down_time_s``.

        Raises NotFound when it did not join in this process. Silencing again changes nothing.
        """

    def resume(self, member: str) -> None:
        """The member's heart beats again: up at once.

        Raises NotFound when it did not join in this process.
        """

    async def run(self) -> None:
        """Beat for all who joined in this process, until cancelled. Survives a database that is away for a while."""
