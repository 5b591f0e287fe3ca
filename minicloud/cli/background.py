"""A cloud in the background: a process in its own session, its progress heard through a pipe until it answers."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from typing import Any

import msgspec

from minicloud import settings
from minicloud.base.errors import Failed, TimedOut
from minicloud.cli import show
from minicloud.cli.folder import LOG, Folder, Running

LIMIT_S = 300.0
"""How long a start may take: the first may have an image to build."""


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
    process = subprocess.Popen(
        # The flags go through a pipe: everybody on the machine may read a command line, and its parser costs time.
        [sys.executable, "-m", "minicloud.cli.behind", found.settings.data, str(writing)],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        cwd="/",
        env=settings.inherited(),
        pass_fds=(writing,),
        start_new_session=True,
    )
    os.close(writing)
    os.close(log)
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin:
        process.stdin.write(msgspec.json.encode(_flags(found)))
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


def _flags(found: settings.Found) -> dict[str, Any]:
    """The flags that were given, empty ones too; the folder always, as the child stands elsewhere."""
    given = {name for name, source in found.sources.items() if source == "flag"} | {"data"}
    return {name: getattr(found.settings, name) for name in given}


def _healthy(folder: Folder) -> None:
    """The cloud says that it answers: hear it. Raises Failed."""
    running = folder.need_running()
    host = running.url.removeprefix("http://").rpartition(":")[0].strip("[]")
    try:
        with socket.create_connection((host, running.port), timeout=30) as client:
            client.sendall(b"GET /healthcheck HTTP/1.0\r\nHost: localhost\r\n\r\n")
            said = client.recv(4096).decode(errors="replace").splitlines()
    except OSError as error:
        raise Failed(f"{running.url}/healthcheck does not answer ({error}): look at {folder.file(LOG)}") from error
    if not said or " 200 " not in said[0]:
        raise Failed(f"{running.url}/healthcheck answered {said[:1]}: look at {folder.file(LOG)}")
