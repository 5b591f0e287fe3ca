"""Lays bandwidth limits on ports, and takes them off again; a port that never had any costs nothing."""

import msgspec

from minicloud.base import trace
from minicloud.base.errors import ToolFailed
from minicloud.drivers.fabric import Port, Quality
from minicloud.drivers.fabric.linux import shaping
from minicloud.drivers.fabric.linux.room import Room

_NO_KIND = "Unknown device type|Operation not supported|Specified qdisc kind is unknown"


class Shapes:
    """The limits of a cloud's ports. Callers hold the network's lock."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._laid: dict[str, Quality] = {}

    async def ensure(self, namespace: str, port: Port, *, fresh: bool) -> None:
        """The port's traffic is held to its limits; ``fresh``: it is new and has none. Raises ToolFailed."""
        wished = msgspec.structs.replace(port.quality, dscp=None)
        known = self._laid.pop(port.id, Quality() if fresh else None)
        if wished == known == Quality():
            self._laid[port.id] = wished
            return
        for program, lines in zip(("ip", "tc"), shaping.clear(port.id), strict=True):
            await self._room.ip_as_far_as_possible(namespace, lines, may_fail=shaping.NOTHING_THERE, program=program)
        try:
            for program, lines in zip(("ip", "tc"), shaping.wish(port.id, wished), strict=True):
                if lines:
                    await self._room.ip_as_far_as_possible(namespace, lines, may_fail="^$", program=program)
        except ToolFailed as error:
            # A kernel without token buckets carries the guest all the same: a limit less is better than no network.
            if not any(word in error.message for word in _NO_KIND.split("|")):
                raise
            trace.note("fabric_skipped", port=port.id, what=f"bandwidth limits: {error.message} (modprobe ifb sch_tbf)")
        self._laid[port.id] = wished
        trace.note("fabric", did="limits", id=port.id)

    def forget(self, port_id: str) -> None:
        """The port is gone."""
        self._laid.pop(port_id, None)
