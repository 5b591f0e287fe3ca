"""``minicloud down``: stop a cloud, and with ``--purge`` leave nothing of it."""

import os
import select
import shutil
import signal
import time
from typing import Annotated

import typer

from minicloud.base.errors import CloudError, Invalid, TimedOut, Unavailable
from minicloud.cli import show
from minicloud.cli.folder import CONTROL, LOG, Folder
from minicloud.cli.options import Data, folder_of

LIMIT_S = 60.0


def down(
    data: Data = None,
    stop_servers: Annotated[bool, typer.Option("--stop-servers", help="Power off all servers, too.")] = False,
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove everything of the cloud: servers, networks, the whole folder.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before --purge.")] = False,
) -> None:
    """Stop the cloud. Its servers go on running, and are found again at the next start, unless told otherwise.

    Example: minicloud down --stop-servers

    Example: minicloud down --purge --yes
    """
    folder = folder_of(data)
    if purge and not yes and folder.path.exists():
        typer.confirm(f"Remove everything of the cloud in {folder.path}, its servers and their disks?", abort=True)
    was_up = folder.locked()
    if was_up:
        with show.progress("stopping") as tell:
            _stop(folder, tell, stop_servers=stop_servers)
        print(f"minicloud has stopped (data {folder.path})")
    elif not purge:
        print(f"no cloud is up in {folder.path}")
    if purge:
        _purge(folder)


def _stop(folder: Folder, tell: show.Tell, *, stop_servers: bool) -> None:
    """Stop it, and wait until it has ended. Raises TimedOut, Unavailable."""
    from minicloud.cli import control

    pid = folder.pid()
    process = _handle(pid)
    try:
        control.ask(folder.file(CONTROL), "stop", stop_servers=stop_servers)
    except Unavailable:
        # It is still starting, or too busy to answer: a signal says the same, but for the servers.
        if stop_servers:
            raise
        if pid is None:
            raise
        os.kill(pid, signal.SIGTERM)
    tell("waiting until it has stopped")
    give_up = time.monotonic() + LIMIT_S
    while folder.locked():
        if time.monotonic() > give_up:
            raise TimedOut(
                f"process {pid} has not stopped within {LIMIT_S:g} s: see {folder.file(LOG)}, or kill -9 {pid}"
            )
        time.sleep(0.02)
    if process is not None:
        # It let go of its folder; what is left of it is a moment of tidying up.
        select.select([process], [], [], LIMIT_S)
        os.close(process)


def _handle(pid: int | None) -> int | None:
    """What becomes readable when this very process has ended; None where a system has no such thing, or no such process."""
    try:
        return None if pid is None else os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _purge(folder: Folder) -> None:
    """Raises Invalid for a folder that is no cloud's."""
    if not folder.path.exists():
        print(f"there is nothing at {folder.path}")
        return
    if not folder.is_ours():
        raise Invalid(f"{folder.path} is no cloud's folder: nothing was removed")
    import anyio

    from minicloud.operations import offline

    lock = folder.lock()
    try:
        with show.progress("removing") as tell:
            done = anyio.run(offline.purge, folder.path, tell)
            shutil.rmtree(folder.path)
    except OSError as error:
        raise CloudError(f"{error.filename} cannot be removed: {error.strerror}; remove it by hand") from error
    finally:
        os.close(lock)
    for words in [*done, f"removed {folder.path}"]:
        print(words)
