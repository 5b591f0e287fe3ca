"""Who is alive, kept in memory: the fake, for one process without a database."""

import anyio

from minicloud.base.clock import Clock, SystemClock, stamp
from minicloud.engines.servicegroup import REPORT_INTERVAL_S, SERVICE_DOWN_TIME_S, Liveness
from minicloud.engines.servicegroup.hearts import Hearts


class MemoryServiceGroup:
    """Keeps the servicegroup promise for the members of this process; forgets all when it ends."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        report_interval_s: float = REPORT_INTERVAL_S,
        service_down_time_s: float = SERVICE_DOWN_TIME_S,
    ) -> None:
        self.report_interval_s = report_interval_s
        self.service_down_time_s = service_down_time_s
        self._clock = clock or SystemClock()
        self._hearts = Hearts(service_down_time_s)
        self._seen: dict[str, str] = {}
        self._down: frozenset[str] = frozenset()

    @property
    def down(self) -> frozenset[str]:
        return self._down

    async def join(self, *members: str) -> None:
        for member in members:
            self._hearts.start(member)
            self._seen[member] = stamp(self._clock.now())
        self._down -= set(members)

    async def leave(self, *members: str) -> None:
        for member in members:
            self._hearts.forget(member)
            self._seen.pop(member, None)

    async def is_up(self, member: str) -> bool:
        return member in self._hearts and self._hearts.is_up(member)

    async def members(self) -> dict[str, Liveness]:
        return {member: Liveness(self._hearts.is_up(member), seen) for member, seen in self._seen.items()}

    def silence(self, member: str) -> None:
        self._hearts.silence(member)

    def resume(self, member: str) -> None:
        self._hearts.resume(member)
        self._down -= {member}

    async def run(self) -> None:
        while True:
            self._seen.update(dict.fromkeys(self._hearts.beating(), stamp(self._clock.now())))
            self._down = frozenset(self._hearts.down())
            await anyio.sleep(self.report_interval_s)
