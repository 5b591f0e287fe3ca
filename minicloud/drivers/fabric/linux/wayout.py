"""The way out: what guests' external networks send beyond them leaves behind this machine's own addresses. Only on request.

As root the machine itself forwards and translates. Without root the holder does, and a program that makes ordinary
connections for it, ``pasta`` or ``slirp4netns``, carries that to the world. Nobody beyond gets in by the way out.
"""

import ipaddress
import os
from collections.abc import Iterable
from pathlib import Path

import anyio

from minicloud.base import trace
from minicloud.base.errors import ToolFailed, ToolMissing
from minicloud.base.tools import PACKAGES, find
from minicloud.drivers.fabric.linux.processes import Mark, end, mark, read_mark, start_detached, write_mark
from minicloud.drivers.fabric.linux.room import Room

CARRIERS = ("pasta", "slirp4netns")
_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_PATIENCE_S = 10.0


class WayOut:
    """The way out of one cloud; files about it lie in ``folder``."""

    def __init__(self, room: Room, folder: Path, *, wished: bool) -> None:
        self._room = room
        self._before = folder / "ip_forward"
        self._carrier = folder / "carrier.json"
        self._log = folder / "carrier.log"
        self._wished = wished
        self._table = f"minicloud_{room.cloud_id}"
        self._ranges: list[str] = []

    async def ensure(self, ranges: Iterable[str]) -> None:
        """What comes from these external ranges finds its way. Raises ToolMissing, ToolFailed."""
        if not self._wished:
            return
        wished = sorted({str(ipaddress.ip_network(r)) for r in ranges})
        if not wished:
            await self.ensure_none()
            return
        if self._room.rootless:
            await self._carried()
            await self._room.perform(None, {"write": {"ipv4/ip_forward": "1"}})
        else:
            self._forward()
        if wished != self._ranges:
            await self._room.nft(None, rules(self._table, wished))
            trace.note("way_out", ranges=wished, did="led")
            self._ranges = wished

    async def ensure_none(self) -> None:
        """Nothing leads out any more, and the machine forwards as it did before. Raises ToolFailed."""
        if self._room.find():
            await self._room.nft(None, f"add table ip {self._table}\ndelete table ip {self._table}\n")
        await self.lost()
        if self._before.exists():
            # Another cloud's way out may need it by now.
            tables = (await self._room.run(None, "nft", "list", "tables")).decode()
            self._restore(needed="table ip minicloud_" in tables)

    async def lost(self) -> None:
        """The room is another one: what led out of the old one is of no use."""
        self._ranges = []
        living = read_mark(self._carrier)
        if living is not None:
            await end(living)
        for file in (self._carrier, self._log):
            file.unlink(missing_ok=True)

    def _forward(self) -> None:
        now = _FORWARDING.read_text().strip()
        if now == "1":
            return
        if not self._before.exists():
            self._before.write_text(now)
        try:
            _FORWARDING.write_text("1")
        except OSError as error:
            raise ToolFailed(
                f"this machine cannot be made to forward: {error}", argv=[], code=None, stderr=""
            ) from error

    def _restore(self, *, needed: bool) -> None:
        if not needed:
            _FORWARDING.write_text(self._before.read_text())
        self._before.unlink()

    async def _carried(self) -> None:
        holder = self._room.holder_pid
        if read_mark(self._carrier) is not None or holder is None:
            return
        argv = carrier(holder)
        started = start_detached(argv, self._log)
        write_mark(self._carrier, started)
        await self._until_there(started, argv)
        trace.note("way_out", program=argv[0], pid=started.pid, did="carried")

    async def _until_there(self, started: Mark, argv: list[str]) -> None:
        with anyio.move_on_after(_PATIENCE_S):
            while mark(started.pid) == started:
                if "default" in await self._room.routes(None):
                    return
                await anyio.sleep(0.02)
        said = self._log.read_text(errors="replace").strip()[-500:]
        await end(started)
        self._carrier.unlink(missing_ok=True)
        raise ToolFailed(f"{argv[0]} does not carry networks out: {said}", argv=argv, code=None, stderr=said)


def carrier(pid: int) -> list[str]:
    """The program that carries a holder's connections to the world; guests do not come to this machine's own loopback by it.

    Raises ToolMissing.
    """
    found = next((name for name in CARRIERS if find(name)), None)
    if found is None:
        raise ToolMissing(
            f"guests have no way out of this machine without root and without pasta: apt install {PACKAGES['pasta']}"
        )
    program = find(found) or found
    if found == "pasta":
        quiet = ["--foreground", "--quiet", "--config-net", "--no-map-gw"]
        # It would become nobody, who may not enter root's user namespaces.
        quiet += ["--runas", "0"] if os.geteuid() == 0 else []
        return [program, *quiet, "-t", "none", "-u", "none", "-T", "none", "-U", "none", str(pid)]
    return [program, "--configure", "--disable-host-loopback", "--mtu=1500", str(pid), "out0"]


def rules(table: str, ranges: list[str]) -> str:
    """What leads these ranges out, and only answers in; in place of what there was. Pure."""
    lines = [
        *(f"{verb} table ip {table}" for verb in ("add", "delete", "add")),
        f"add set ip {table} ranges {{ type ipv4_addr; flags interval; }}",
        f"add element ip {table} ranges {{ {', '.join(ranges)} }}",
        f"add chain ip {table} post {{ type nat hook postrouting priority srcnat; }}",
        f"add rule ip {table} post ip saddr @ranges ip daddr != @ranges masquerade",
        f"add chain ip {table} forward {{ type filter hook forward priority filter; }}",
        f"add rule ip {table} forward ct state established,related accept",
        f"add rule ip {table} forward ip daddr @ranges counter drop",
    ]
    return "".join(f"{line}\n" for line in lines)
