"""Programs that run beside networks and routers, one each: started, told of changes, found again, and started anew when they die."""

import os
import shutil
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import anyio
import msgspec

from minicloud.base import trace
from minicloud.base.errors import CloudError
from minicloud.base.tools import need
from minicloud.drivers.fabric.background import Background
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


class Kind(msgspec.Struct, frozen=True):
    """What the daemons of one kind have in common. ``argv`` makes the command line of one out of its folder.

    ``main`` is the file that only a new start reads, and its path stands in the command line: by that a lost one is found;
    the other files are read again at SIGHUP. ``ready`` is what it logs once it serves, ``rights`` the capabilities it keeps.
    """

    name: str
    serves: Literal["network", "router"]
    argv: Callable[[Path], list[str]]
    main: str
    ready: bytes
    rights: list[str]
    namespace: Callable[[str, str], str]


def _nothing_to_prepare(folder: Path) -> bool:
    return False


class Daemons:
    """All daemons of one kind, each with a folder ``<folder>/<id>`` of its files."""

    def __init__(self, kind: Kind, room: Room, folder: Path, background: Background) -> None:
        self._kind = kind
        self._room = room
        self._folder = folder
        self._background = background
        self._watched: dict[str, tuple[Mark, anyio.CancelScope]] = {}
        self._falls: defaultdict[str, int] = defaultdict(int)
        self._locks: defaultdict[str, anyio.Lock] = defaultdict(anyio.Lock)

    async def ensure(
        self,
        of: str,
        files: Mapping[str, str],
        *,
        anew: bool,
        prepare: Callable[[Path], bool] = _nothing_to_prepare,
    ) -> None:
        """It runs by these files; ``anew``: its devices are others, so that it must begin again.

        ``prepare`` may mend what it keeps itself while it stands still, and tells whether there is anything to mend.
        Raises ToolMissing, ToolFailed.
        """
        async with self._locks[of]:
            folder = self.folder(of)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            changed = {name for name, text in files.items() if write(folder / name, text)}
            living = self._living(of)
            mended = prepare(folder)
            if living is None or anew or mended or self._kind.main in changed:
                if living is not None:
                    self._unwatch(of)
                    await end(living)
                    prepare(folder)
                await self._start(of)
            elif changed:
                os.kill(living.pid, signal.SIGHUP)
                self._note(of, pid=living.pid, did=f"re-read {', '.join(sorted(changed))}")

    async def adopt(self, of: str) -> None:
        """Watch again over what an earlier process started, or start what should run. Raises ToolMissing, ToolFailed."""
        if not (self.folder(of) / self._kind.main).exists():
            return
        living = self._living(of)
        async with self._locks[of]:
            if living is None:
                await self._start(of)
            else:
                self._watch(of, living)

    async def ensure_none(self, of: str) -> None:
        """It does not run, and none of its files is left."""
        folder = self.folder(of)
        self._unwatch(of)
        if not folder.exists():
            return
        async with self._locks[of]:
            living = self._living(of)
            if living is not None:
                await end(living)
                self._note(of, pid=living.pid, did="ended")
            shutil.rmtree(folder, ignore_errors=True)
        self._locks.pop(of, None)

    def known(self) -> list[str]:
        """What has a folder here."""
        return sorted(entry.name for entry in self._folder.iterdir()) if self._folder.exists() else []

    def folder(self, of: str) -> Path:
        """Where the files of one lie."""
        return self._folder / of

    def _living(self, of: str) -> Mark | None:
        folder = self.folder(of)
        marked = read_mark(folder / "process.json")
        if marked is not None:
            return marked
        # Killed between starting it and writing its mark, we left one that would hold the ports against a second.
        found = find_by_words(self._kind.argv(folder)[-1]) if (folder / "log").exists() else []
        if found:
            write_mark(folder / "process.json", found[0])
        return found[0] if found else None

    async def _start(self, of: str) -> None:
        folder = self.folder(of)
        inside = self._room.inside(self._kind.namespace(self._room.cloud_id, of))
        limits = []
        if not self._room.rootless:
            # Guests speak to it directly: as root it keeps no more rights than its sockets need. It cannot become another
            # user, which could not read its files again, nor without root (one uid is all that is mapped there).
            rights = ",".join(["-all", *(f"+{right}" for right in self._kind.rights)])
            limits = ["setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set={rights}"]
        argv = [*inside, *limits, *self._kind.argv(folder)]
        argv[0] = need(argv[0])
        log = folder / "log"
        started = start_detached(argv, log)
        write_mark(folder / "process.json", started)
        await wait_for_word(started, log, self._kind.ready, argv)
        self._note(of, pid=started.pid, did="started")
        self._watch(of, started)

    def _note(self, of: str, **facts: Any) -> None:
        trace.note(self._kind.name, **{self._kind.serves: of}, **facts)

    def _watch(self, of: str, living: Mark) -> None:
        self._unwatch(of)
        self._watched[of] = (living, self._background.spawn(self._revive, of, living))

    def _unwatch(self, of: str) -> None:
        watched = self._watched.pop(of, None)
        if watched is not None:
            watched[1].cancel()

    async def _revive(self, of: str, living: Mark) -> None:
        born = time.monotonic()
        await wait_until_gone(living)
        self._note(of, pid=living.pid, did="died")
        # One that dies again and again must not eat the machine; the next wish says why it does.
        falls = self._falls[of] = self._falls[of] + 1 if time.monotonic() - born < _STEADY_S else 0
        await anyio.sleep(min(_LONGEST_PAUSE_S, 2**falls - 2) if falls > 1 else 0)
        try:
            async with self._locks[of]:
                if self._living(of) is None and (self.folder(of) / self._kind.main).exists():
                    await self._start(of)
        except (CloudError, OSError) as error:
            self._note(of, did="not revived", why=str(error))


def read(file: Path) -> str:
    """What a file says; nothing when it is not there."""
    try:
        return file.read_text(errors="replace")
    except FileNotFoundError:
        return ""


def write(file: Path, text: str) -> bool:
    """Write a private file in one go; False when it says so already."""
    if file.exists() and read(file) == text:
        return False
    fresh = file.with_name(file.name + ".new")
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    fresh.replace(file)
    return True
