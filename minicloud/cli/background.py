"""A cloud in the background: a process in its own session, its progress heard through a pipe until it answers."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

import msgspec

from minicloud import settings
from minicloud.base.errors import Failed, Invalid, TimedOut
from minicloud.cli import show
from minicloud.cli.folder import LOG, Folder, Running

LIMIT_S = 300.0
"""How long a start may take: the first may have an image to build."""

_SECRET = "admin_password"


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A line through the pipe: progress, the error that ended the start, or what ``up`` prints when the cloud answers."""

    progress: str = ""
    error: str = ""
    up: list[str] = []


def start(found: settings.Found, *, wait: bool) -> list[str]:
    """Start a cloud; the lines to print. With ``wait``, only when it answers.

    Raises Failed with the cause when it does not come up, TimedOut.
    """
    folder = Folder(found.settings.data)
    folder.prepare()
    reading, writing = os.pipe()
    log = os.open(folder.file(LOG), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    environment = settings.inherited()
    if found.settings.admin_password:
        # Not as a flag: everybody on the machine may read a command line.
        environment["MINICLOUD_ADMIN_PASSWORD"] = found.settings.admin_password
    process = subprocess.Popen(
        [sys.executable, "-m", "minicloud", "up", "--tell", str(writing), *flags(found)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd="/",
        env=environment,
        pass_fds=(writing,),
        start_new_session=True,
    )
    os.close(writing)
    os.close(log)
    if not wait:
        os.close(reading)
        return [f"minicloud is starting (process {process.pid}): its progress is in {folder.file(LOG)}"]
    with show.progress("starting") as tell, open(reading, "rb") as pipe:
        for line in pipe:
            heard = msgspec.json.decode(line, type=Heard)
            if heard.error:
                raise Failed(heard.error)
            if heard.up:
                _healthy(folder)
                return heard.up
            tell(heard.progress)
    code = process.wait()
    raise Failed(f"the cloud ended with code {code} before it answered: see the end of {folder.file(LOG)}")


def wait_for(folder: Folder) -> Running:
    """Wait for a cloud that somebody else is starting. Raises TimedOut, Failed when it gives up."""
    give_up = time.monotonic() + LIMIT_S
    while time.monotonic() < give_up:
        running = folder.running()
        if running is not None:
            return running
        if not folder.locked():
            raise Failed(f"the process that was starting here has ended: see the end of {folder.file(LOG)}")
        time.sleep(0.05)
    raise TimedOut(f"process {folder.pid()} has not come up within {LIMIT_S:g} s: look at {folder.file(LOG)}")


def flags(found: settings.Found) -> list[str]:
    """The flags that were given, again; the folder always, as the child's own place is another."""
    words: list[str] = []
    for name, source in found.sources.items():
        value = getattr(found.settings, name)
        flag = name.replace("_", "-")
        if (source != "flag" and name != "data") or name == _SECRET:
            continue
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", str(value)]
    return words


def teller(descriptor: int) -> "Pipe":
    """The child's end. Raises Invalid when that is no pipe: ``--tell`` is not for people."""
    try:
        return Pipe(descriptor)
    except OSError as error:
        raise Invalid("--tell is for minicloud's own use") from error


class Pipe:
    """Writes what happens to whoever waits; nothing, once nobody does."""

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)
        self._descriptor: int | None = descriptor

    def progress(self, words: str) -> None:
        self._write(Heard(progress=words))

    def error(self, words: str) -> None:
        self._write(Heard(error=words))
        self.close()

    def up(self, lines: list[str]) -> None:
        self._write(Heard(up=lines))
        self.close()

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _write(self, heard: Heard) -> None:
        if self._descriptor is not None:
            try:
                os.write(self._descriptor, msgspec.json.encode(heard) + b"\n")
            except BrokenPipeError:
                self.close()


def _healthy(folder: Folder) -> None:
    """The cloud says that it answers: hear it."""
    running = folder.need_running()
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{running.url}/healthcheck", timeout=30) as answer:
            if answer.status == 200:
                return
            raise Failed(f"{running.url}/healthcheck answered {answer.status}: look at {folder.file(LOG)}")
    except (urllib.error.URLError, TimeoutError) as error:
        raise Failed(f"{running.url}/healthcheck does not answer ({error}): look at {folder.file(LOG)}") from error
