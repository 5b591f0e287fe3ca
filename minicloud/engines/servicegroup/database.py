"""Who is alive, by heartbeats in rows of the database.

A process beats for all of its members with one statement per interval: their rows carry the name of its heart. Members of this
process are judged by memory (``hearts``), those of other processes, and of an earlier life of this one, by their row.
"""

import logging
import time
import uuid
from datetime import timedelta

import anyio

from minicloud.base import trace
from minicloud.base.clock import moment, stamp
from minicloud.base.errors import CloudError
from minicloud.engines.database import Database, Transaction
from minicloud.engines.servicegroup import REPORT_INTERVAL_S, SERVICE_DOWN_TIME_S, Liveness
from minicloud.engines.servicegroup.hearts import Hearts

_NOBODY = ""
_log = logging.getLogger(__name__)


class DatabaseServiceGroup:
    """Keeps the servicegroup promise in the table ``heartbeats``."""

    def __init__(
        self,
        database: Database,
        *,
        report_interval_s: float = REPORT_INTERVAL_S,
        service_down_time_s: float = SERVICE_DOWN_TIME_S,
    ) -> None:
        self.report_interval_s = report_interval_s
        self.service_down_time_s = service_down_time_s
        self._database = database
        self._hearts = Hearts(service_down_time_s)
        # Truly random even in a cloud with repeatable ids: with the name of an earlier life, this process would go on
        # beating for members that never came back.
        self._heart = uuid.uuid4().hex
        self._turned: dict[str, str] = {}
        self._down: frozenset[str] = frozenset()

    @property
    def down(self) -> frozenset[str]:
        return self._down

    async def look(self) -> None:
        """Find out who is down; ``run`` does it once an interval."""
        rows = await self._database.read(
            lambda tx: tx.all("SELECT member FROM heartbeats WHERE seen < ?", (self._horizon(tx),))
        )
        self._down = frozenset({member for (member,) in rows if member not in self._hearts} | self._hearts.down())

    async def join(self, *members: str) -> None:
        def take(tx: Transaction) -> None:
            self._take(tx, members)
            tx.after_commit(started)

        def started() -> None:
            for member in members:
                self._hearts.start(member)
                self._turned.pop(member, None)
            self._down -= set(members)

        await self._database.write(take)

    async def leave(self, *members: str) -> None:
        # Out of memory first: a beat that is written after the deletion must not bring the rows back.
        for member in members:
            self._hearts.forget(member)
            self._turned[member] = _NOBODY
        await self._database.write(
            lambda tx: tx.many("DELETE FROM heartbeats WHERE member = ?", [(member,) for member in members])
        )

    async def is_up(self, member: str) -> bool:
        if member in self._hearts:
            return self._hearts.is_up(member)

        def judge(tx: Transaction) -> bool:
            row = tx.one("SELECT seen FROM heartbeats WHERE member = ?", (member,))
            return row is not None and row[0] >= self._horizon(tx)

        return await self._database.read(judge)

    async def members(self) -> dict[str, Liveness]:
        def rows(tx: Transaction) -> tuple[str, str, list[tuple[str, str]]]:
            found = tx.all("SELECT member, seen FROM heartbeats ORDER BY member")
            return tx.now, self._horizon(tx), [(member, seen) for member, seen in found]

        now, horizon, found = await self._database.read(rows)
        hearts = self._hearts
        alive = {
            member: Liveness(hearts.is_up(member) if member in hearts else seen >= horizon, seen)
            for member, seen in found
        }
        for member in hearts.beating():  # the row may be missing for a moment after the database was put back
            alive.setdefault(member, Liveness(True, now))
        return alive

    def silence(self, member: str) -> None:
        if self._hearts.silence(member):
            self._turned[member] = _NOBODY
            trace.note("heart_stopped", member=member)

    def resume(self, member: str) -> None:
        if self._hearts.resume(member):
            self._turned[member] = self._heart
            self._down -= {member}
            trace.note("heart_resumed", member=member)

    async def run(self) -> None:
        due = anyio.current_time()
        while True:
            await self._beat()
            try:
                await self.look()
            except CloudError as error:
                _log.warning("Who is down could not be read: %s", error.message)
            due = max(due + self.report_interval_s, anyio.current_time())
            await anyio.sleep_until(due)

    async def _beat(self) -> None:
        """Write one heartbeat for all, in one transaction; a failure is told and made up for by the next beat."""
        beating, turned, self._turned = self._hearts.beating(), self._turned, {}
        began = time.perf_counter()

        def write(tx: Transaction) -> None:
            tx.many(
                "UPDATE heartbeats SET heart = ? WHERE member = ?",
                [(heart, member) for member, heart in turned.items()],
            )
            if beating and self._stamp_all(tx) < len(beating):
                # Somebody put back an older database under us: our members are alive all the same.
                self._take(tx, beating)

        try:
            await self._database.write(write)
        except CloudError as error:
            self._turned = turned | self._turned
            trace.note("heartbeat", members=len(beating), seconds=_since(began), error=error.message)
            _log.warning("Heartbeats of %d members could not be written: %s", len(beating), error.message)
        else:
            seconds = _since(began)
            if seconds > self.report_interval_s / 2:
                trace.note("heartbeat", members=len(beating), seconds=seconds, late=True)

    def _take(self, tx: Transaction, members: "tuple[str, ...] | list[str]") -> None:
        tx.many(
            "INSERT INTO heartbeats (member, heart, seen) VALUES (?, ?, ?) "
            "ON CONFLICT (member) DO UPDATE SET heart = excluded.heart, seen = excluded.seen",
            [(member, self._heart, tx.now) for member in members],
        )

    def _stamp_all(self, tx: Transaction) -> int:
        return tx.execute("UPDATE heartbeats SET seen = ? WHERE heart = ?", (tx.now, self._heart))

    def _horizon(self, tx: Transaction) -> str:
        """Whoever was last seen before this moment is down."""
        return stamp(moment(tx.now) - timedelta(seconds=self.service_down_time_s))


def _since(began: float) -> float:
    return round(time.perf_counter() - began, 6)
