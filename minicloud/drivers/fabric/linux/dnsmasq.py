"""The running dnsmasq of each network: started, told of new leases, found again, and started anew when it dies."""

import os
import shutil
import signal
import time
from collections import defaultdict
from pathlib import Path

import anyio

from minicloud.base import trace
from minicloud.base.errors import CloudError
from minicloud.base.tools import need
from minicloud.drivers.fabric import Network
from minicloud.drivers.fabric.background import Background
from minicloud.drivers.fabric.linux.dhcp import configuration, hosts, served, without_strangers
from minicloud.drivers.fabric.linux.names import network_namespace
from minicloud.drivers.fabric.linux.processes import (
    Mark,
    end,
    find_by_words,
    read_mark,
    start_detached,
    wait_for_word,
    wait_until_gone,
    write_mark,
)
from minicloud.drivers.fabric.linux.room import Room

_STEADY_S = 10.0
_LONGEST_PAUSE_S = 60.0


class Dnsmasqs:
    """All dnsmasq processes of a cloud, each with a folder ``<folder>/<network id>`` of its files."""

    def __init__(self, room: Room, folder: Path, background: Background) -> None:
        self._room = room
        self._folder = folder
        self._background = background
        self._watched: dict[str, tuple[Mark, anyio.CancelScope]] = {}
        self._falls: defaultdict[str, int] = defaultdict(int)
        self._locks: defaultdict[str, anyio.Lock] = defaultdict(anyio.Lock)

    async def ensure(self, network: Network, *, anew: bool) -> None:
        """It runs with this network's wishes; ``anew``: its bridge is another one, so that it must bind again.

        Raises ToolMissing, ToolFailed.
        """
        if not served(network):
            await self.ensure_none(network.id)
            return
        async with self._locks[network.id]:
            await self._ensure(network, anew)

    async def _ensure(self, network: Network, anew: bool) -> None:
        folder = self._folder / network.id
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        told = _write(folder / "dnsmasq.conf", configuration(network, folder))
        hosts_changed = _write(folder / "hosts", hosts(network))
        living = self._living(network.id)
        leases = _read(folder / "leases")
        kept = without_strangers(leases, network.leases)
        if living is None or told or anew or kept != leases:
            if living is not None:
                self._unwatch(network.id)
                await end(living)
            _write(folder / "leases", kept)
            await self._start(network.id)
        elif hosts_changed:
            os.kill(living.pid, signal.SIGHUP)
            trace.note("dnsmasq", network=network.id, pid=living.pid, did="re-read leases")

    async def adopt(self, network_id: str) -> None:
        """Watch again over what an earlier process started, or start what should run. Raises ToolMissing, ToolFailed."""
        if not (self._folder / network_id / "dnsmasq.conf").exists():
            return
        living = self._living(network_id)
        async with self._locks[network_id]:
            if living is None:
                await self._start(network_id)
            else:
                self._watch(network_id, living)

    async def ensure_none(self, network_id: str) -> None:
        """No dnsmasq of this network runs, and none of its files is left."""
        folder = self._folder / network_id
        self._unwatch(network_id)
        if not folder.exists():
            return
        async with self._locks[network_id]:
            living = self._living(network_id)
            if living is not None:
                await end(living)
                trace.note("dnsmasq", network=network_id, pid=living.pid, did="ended")
            shutil.rmtree(folder, ignore_errors=True)
        self._locks.pop(network_id, None)

    def known(self) -> list[str]:
        """Networks that have a folder here."""
        return sorted(entry.name for entry in self._folder.iterdir()) if self._folder.exists() else []

    def _living(self, network_id: str) -> Mark | None:
        folder = self._folder / network_id
        marked = read_mark(folder / "process.json")
        if marked is not None:
            return marked
        # Killed between starting it and writing its mark, we left one that would hold the ports against a second.
        found = find_by_words(f"--conf-file={folder / 'dnsmasq.conf'}") if (folder / "log").exists() else []
        if found:
            write_mark(folder / "process.json", found[0])
        return found[0] if found else None

    async def _start(self, network_id: str) -> None:
        folder = self._folder / network_id
        inside = self._room.inside(network_namespace(self._room.cloud_id, network_id))
        limits = []
        if not self._room.rootless:
            # Guests speak to it directly: as root it keeps no more rights than its sockets need. It cannot become another
            # user, which could not read its hosts file again, nor without root (one uid is all that is mapped there).
            limits = [
                "setpriv",
                "--no-new-privs",
                "--inh-caps=-all",
                "--bounding-set=-all,+net_admin,+net_raw,+net_bind_service",
            ]
        argv = [
            *inside,
            *limits,
            need("dnsmasq"),
            "--no-daemon",
            "--user=root",
            f"--conf-file={folder / 'dnsmasq.conf'}",
        ]
        argv[0] = need(argv[0])
        log = folder / "log"
        started = start_detached(argv, log)
        write_mark(folder / "process.json", started)
        await wait_for_word(started, log, b"started, version", argv)
        trace.note("dnsmasq", network=network_id, pid=started.pid, did="started")
        self._watch(network_id, started)

    def _watch(self, network_id: str, living: Mark) -> None:
        self._unwatch(network_id)
        self._watched[network_id] = (living, self._background.spawn(self._revive, network_id, living))

    def _unwatch(self, network_id: str) -> None:
        watched = self._watched.pop(network_id, None)
        if watched is not None:
            watched[1].cancel()

    async def _revive(self, network_id: str, living: Mark) -> None:
        born = time.monotonic()
        await wait_until_gone(living)
        trace.note("dnsmasq", network=network_id, pid=living.pid, did="died")
        # One that dies again and again must not eat the machine; ensure_network says why it does.
        falls = self._falls[network_id] = self._falls[network_id] + 1 if time.monotonic() - born < _STEADY_S else 0
        await anyio.sleep(min(_LONGEST_PAUSE_S, 2**falls - 2) if falls > 1 else 0)
        try:
            async with self._locks[network_id]:
                if self._living(network_id) is None and (self._folder / network_id / "dnsmasq.conf").exists():
                    await self._start(network_id)
        except (CloudError, OSError) as error:
            trace.note("dnsmasq", network=network_id, did="not revived", why=str(error))


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except FileNotFoundError:
        return ""


def _write(file: Path, text: str) -> bool:
    """Write a private file in one go; False when it says so already."""
    if file.exists() and _read(file) == text:
        return False
    fresh = file.with_name(file.name + ".new")
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    fresh.replace(file)
    return True
