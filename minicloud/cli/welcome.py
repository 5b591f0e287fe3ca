"""What is printed when a cloud answers: its address, credentials, three next commands."""

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minicloud.cli.folder import Folder
from minicloud.cli.show import duration

if TYPE_CHECKING:
    from minicloud.cli.serve import Up


def welcome(up: "Up", data: str) -> list[str]:
    """What is printed when the cloud answers: address, credentials, three next commands."""
    running, settings = up.running, up.running.settings
    option = Folder(data).option()
    hosts = "1 host" if settings["hosts"] == 1 else f"{settings['hosts']} hosts"
    driver = {"qemu": "real guests on QEMU", "fake": "simulated servers"}.get(settings["driver"], settings["driver"])
    if settings["driver"] == "fake" and up.asked_driver == "auto":
        driver += " (QEMU is missing, see `minicloud doctor`)"
    return [
        f"minicloud is up at {running.url} after {duration(up.seconds)} (process {running.pid})",
        f"  servers  {driver}, {hosts}",
        f"  admin    user admin, project admin, password {up.passwords['admin']}",
        f"  demo     user demo, project demo, password {up.passwords['demo']}",
        f"  data     {data}",
        *_lacking(settings),
        "Next:",
        f'  eval "$({_minicloud()} env{option})"',
        "  openstack server create --image minilinux --flavor m1.tiny --network private --wait web",
        f"  minicloud explain{option} web",
    ]


def _lacking(settings: dict[str, Any]) -> list[str]:
    """What the next commands need and is not there."""
    from minicloud import guest
    from minicloud.settings import guest_cache

    if settings["driver"] == "fake" or settings["guest_image"] == "none" or guest.cached(guest_cache()) is not None:
        return []
    return [
        "  image    minilinux is not built in this version: run `minicloud image build`, then start the cloud again"
    ]


def _minicloud() -> str:
    """The command as this shell finds it; ``minicloud env`` then puts its folder on the PATH."""
    return "minicloud" if shutil.which("minicloud") else str(commands() / "minicloud")


def commands() -> Path:
    """The folder of our own command, and of clients that were installed beside it."""
    return Path(sys.executable).parent
