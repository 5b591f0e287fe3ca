"""Lays bandwidth limits on ports and routers' gateways, and takes them off again; what never had any costs nothing."""

import re

from minicloud.base import trace
from minicloud.base.errors import ToolFailed
from minicloud.drivers.fabric.linux import shaping
from minicloud.drivers.fabric.linux.room import Room
from minicloud.drivers.fabric.linux.shaping import Plan

_NO_KIND = "Unknown device type|Operation not supported|Specified qdisc kind is unknown"

_COUNTED = re.compile(rb"direct_packets_stat \d+")
"""The only thing in what ``tc`` tells that is different each time."""


class Shapes:
    """The limits of a cloud's ports, or of its routers. Callers hold the network's or the router's lock."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._laid: dict[str, tuple[Plan, bytes]] = {}

    async def ensure(self, namespace: str, of: str, plan: Plan, *, fresh: bool) -> None:
        """The traffic of a port or router is held to its limits; ``fresh``: it is new and has none. Raises ToolFailed."""
        laid, shown = self._laid.pop(of, (None, b""))
        if not plan.queues and (laid == plan or (laid is None and fresh)):
            self._laid[of] = plan, b""
            return
        # Somebody may have taken them away behind our back, or the device with them.
        if laid == plan and await self._look(namespace, plan) == shown:
            self._laid[of] = plan, shown
            return
        for program, lines in zip(("ip", "tc"), plan.clear(), strict=True):
            await self._room.ip_as_far_as_possible(namespace, lines, may_fail=shaping.NOTHING_THERE, program=program)
        try:
            for program, lines in (("ip", list(plan.links)), ("tc", list(plan.queues))):
                if lines:
                    await self._room.ip_as_far_as_possible(namespace, lines, may_fail="^$", program=program)
        except ToolFailed as error:
            # A kernel without token buckets carries the guest all the same: a limit less is better than no network.
            if not any(word in error.message for word in _NO_KIND.split("|")):
                raise
            trace.note(
                "fabric_skipped",
                of=of,
                what=f"bandwidth limits: {error.message} (modprobe ifb sch_tbf sch_htb cls_u32)",
            )
        self._laid[of] = plan, await self._look(namespace, plan) if plan.queues else b""
        trace.note("fabric", did="limits", id=of)

    def forget(self, of: str) -> None:
        """The port or router is gone."""
        self._laid.pop(of, None)

    async def _look(self, namespace: str, plan: Plan) -> bytes:
        """What ``tc`` tells of it, to be compared with what it told."""
        script = "".join(f"{line}\n" for line in plan.look())
        said = await self._room.run(namespace, "tc", "-force", "-batch", "-", script=script, accept=(0, 1))
        return _COUNTED.sub(b"", said)
