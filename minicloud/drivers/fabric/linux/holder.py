"""The holder: a sleeping process whose user, network and mount namespaces are the whole machine of a cloud without root."""

import sys
from pathlib import Path

from minicloud.base import trace
from minicloud.base.errors import ToolFailed, Unavailable
from minicloud.base.tools import need
from minicloud.drivers.fabric.linux import enter
from minicloud.drivers.fabric.linux.processes import (
    Mark,
    end,
    find_by_words,
    read_mark,
    start_detached,
    wait_for_word,
    write_mark,
)

ENTER = str(Path(enter.__file__).resolve())
PYTHON = (sys.executable, "-I", "-S")


async def ensure_holder(cloud_id: str, folder: Path) -> Mark:
    """The cloud's holder: found again, or started.

    Raises:
        Unavailable: this machine does not let ordinary users make user namespaces; the message says what to change.
    """
    found = find_holder(cloud_id, folder)
    if found is not None:
        return found
    argv = [need("unshare"), "--user", "--map-root-user", "--net", "--mount", "--propagation", "slave"]
    argv += [*PYTHON, ENTER, "hold", cloud_id, str(folder)]
    log = folder / "holder.log"
    try:
        started = start_detached(argv, log)
        await wait_for_word(started, log, b"ready", argv)
    except ToolFailed as error:
        raise Unavailable(
            f"no user namespace for networks without root: {error.detail.get('stderr') or error.message}; run as root, "
            "allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, or "
            "kernel.apparmor_restrict_unprivileged_userns=0), or use the user fabric",
        ) from error
    write_mark(folder / "holder.json", started)
    trace.note("holder", pid=started.pid, did="started")
    return started


def find_holder(cloud_id: str, folder: Path) -> Mark | None:
    """The holder that an earlier process left, if it lives."""
    kept = read_mark(folder / "holder.json")
    if kept is not None:
        return kept
    # A process killed between starting the holder and writing its mark leaves a living, nameless one.
    found = find_by_words("hold", cloud_id, str(folder))
    if found:
        write_mark(folder / "holder.json", found[0])
    return found[0] if found else None


async def end_holder(cloud_id: str, folder: Path) -> None:
    """No holder is left, and with it none of its namespaces."""
    kept = find_holder(cloud_id, folder)
    if kept is not None:
        await end(kept)
    for name in ("holder.json", "holder.log"):
        (folder / name).unlink(missing_ok=True)
