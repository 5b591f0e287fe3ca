"""Simulated moves of guests from host to host: instant, or as slow as the cloud's settings or a script of faults say, and then with progress to see."""

import anyio
import msgspec

from minicloud.base import trace
from minicloud.base.errors import CloudError, Conflict, Failed
from minicloud.drivers.hypervisor import Machine, MoveProgress, PowerState
from minicloud.drivers.hypervisor.fakehost import FakeHost
from minicloud.drivers.hypervisor.fakeworld import FakeWorld, Host, Simulated

MiB = 1 << 20
_SCHEME = "simulated:"


class _Move:
    """A guest on its way: whoever waits for it can be told to stop, or to hurry."""

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        self.began = anyio.current_time()
        self.given_up = False


class FakeMoves(FakeHost):
    """The part of the hypervisor promise that is about moves: what ``FakeHypervisor`` inherits."""

    def __init__(self, world: FakeWorld, host: str) -> None:
        super().__init__(world, host)
        self._moves: dict[str, _Move] = {}

    async def built(self, machine_id: str) -> str:
        self.known(machine_id)
        return ""

    async def ensure_awaited(self, machine: Machine, built: str = "") -> str:
        late = await self._meet("ensure_awaited", machine.id)
        known = self.kept(machine.id)
        if known is not None and not known.awaited:
            raise Conflict(f"machine {machine.id} is on {self.host} already")
        self.keep(Simulated(machine, PowerState.PAUSED, awaited=True))
        if late is not None:
            raise late
        return f"{_SCHEME}{self.host}"

    async def ensure_not_awaited(self, machine_id: str) -> None:
        late = await self._meet("ensure_not_awaited", machine_id)
        known = self.kept(machine_id)
        if known is not None and not known.awaited:
            raise Conflict(f"the guest of machine {machine_id} has arrived on {self.host}")
        self.drop(machine_id)
        if late is not None:
            raise late

    async def arrived(self, machine_id: str) -> bool | None:
        try:
            await self._meet("arrived", machine_id)
        except Conflict as error:
            # What a script of faults says for memory that takes its time, and for a guest that died on its way.
            if error.kind == "coming":
                return None
            if error.kind != "lost":
                raise
            self.keep(msgspec.structs.replace(self.known(machine_id), power=PowerState.CRASHED, awaited=True))
        known = self.kept(machine_id)
        return known is not None and not known.awaited

    async def ensure_sent(self, machine_id: str, address: str) -> None:
        known = self.known(machine_id)
        if known.power not in (PowerState.RUNNING, PowerState.PAUSED):
            raise Conflict(f"machine {machine_id} is {known.power}: only one that runs can be sent")
        move = self._moves[machine_id] = _Move()
        late: CloudError | None = None
        try:
            with move.scope:
                late = await self._meet("ensure_sent", machine_id)
                await anyio.sleep(self._world.move_seconds)
        finally:
            if self._moves.get(machine_id) is move:
                del self._moves[machine_id]
        if move.given_up:
            raise Conflict(f"the move of machine {machine_id} was cancelled", kind="cancelled")
        if late is not None:
            raise late
        there = self._there(machine_id, address)
        if not there.awaited:
            raise Failed(f"machine {machine_id} is not awaited at {address}")
        self.keep(msgspec.structs.replace(self.known(machine_id), sent=True))

    async def ensure_switched(self, machine_id: str, address: str) -> None:
        late = await self._meet("ensure_switched", machine_id)
        known, there = self.known(machine_id), self._there(machine_id, address)
        if there.awaited:
            if not known.sent:
                raise Failed(f"machine {machine_id} was not sent to {address}")
            host = self._at(address)
            arrived = Simulated(there.machine, known.power, known.boots, known.events)
            # There first: a crash in between leaves a guest that has arrived, and one that stands still.
            host.keep(arrived)
        self.keep(Simulated(known.machine, PowerState.SHUTDOWN, known.boots, known.events))
        trace.note("guest_moved", machine=machine_id, source=self.host, to=address.removeprefix(_SCHEME))
        if late is not None:
            raise late

    async def ensure_not_sent(self, machine_id: str) -> None:
        late = await self._meet("ensure_not_sent", machine_id)
        move = self._moves.get(machine_id)
        if move is not None:
            move.given_up = True
            move.scope.cancel()
        known = self.kept(machine_id)
        if known is not None and known.sent:
            self.keep(msgspec.structs.replace(known, sent=False))
        if late is not None:
            raise late

    async def hurry(self, machine_id: str) -> None:
        self.known(machine_id)
        move = self._moves.get(machine_id)
        if move is None:
            raise Conflict(f"machine {machine_id} is not being sent anywhere")
        move.scope.cancel()

    async def move_progress(self, machine_id: str) -> MoveProgress | None:
        known = self.kept(machine_id)
        move = self._moves.get(machine_id)
        if move is None or known is None:
            return None
        total = known.machine.memory_mb * MiB
        lasts = self._world.move_seconds
        # A move that takes no time of its own is only seen while a script of faults holds it, half way.
        part = min((anyio.current_time() - move.began) / lasts, 1.0) if lasts else 0.5
        done = int(total * part)
        return MoveProgress(memory_total=total, memory_processed=done, memory_remaining=total - done)

    async def _meet(self, verb: str, machine_id: str) -> CloudError | None:
        faults = self._world.faults
        return await faults.meet(verb, self.host, machine_id) if faults.armed else None

    def _at(self, address: str) -> Host:
        host = self._world.open_host(address.removeprefix(_SCHEME)) if address.startswith(_SCHEME) else None
        if host is None:
            raise Failed(f"nobody listens at {address}")
        return host

    def _there(self, machine_id: str, address: str) -> Simulated:
        there = self._at(address).kept(machine_id)
        if there is None:
            raise Failed(f"machine {machine_id} is not awaited at {address}")
        return there
