"""Where suites are installed: an environment of each version's own in the user's cache, made once."""

import fcntl
import subprocess
import sys
from pathlib import Path

import msgspec

from minicloud.settings import cache_folder


class Needed(msgspec.Struct, frozen=True):
    """What a runner needs from PyPI: the first names the environment; of ``data`` only the files are wanted."""

    packages: tuple[str, ...]
    data: tuple[str, ...] = ()


VERSIONS = {
    "tempest": Needed(("tempest==47.0.0",)),
    "neutron": Needed(("tempest==47.0.0", "neutron-tempest-plugin==3.3.0")),
    "schemas": Needed(("nova==34.0.0",)),
    "gabbi": Needed(("gabbi==4.2.3",), ("openstack-placement==16.0.0",)),
    "sdk": Needed(("openstacksdk==4.22.0", "oslotest", "testscenarios")),
    "libcloud": Needed(("apache-libcloud==3.9.1",)),
    "horizon": Needed(("horizon==27.0.0",)),
    "ansible": Needed(("ansible==12.3.0", "openstacksdk==4.7.2")),
    "clients": Needed(
        (
            "python-openstackclient==10.5.0",
            "python-cinderclient==9.10.0",
            "python-glanceclient==4.13.0",
            "python-keystoneclient==6.0.0",
            "python-novaclient==18.13.1",
            "openstacksdk==4.22.0",
            "tempest==47.0.0",
            "oslotest",
            "testscenarios",
            "testresources",
            "ddt",
        )
    ),
    "osc-placement": Needed(("osc-placement==4.9.1", "python-openstackclient==10.5.0", "oslotest")),
}
"""The score of a suite is that of a version."""


def environment(runner: str) -> Path:
    """The folder of a runner's programs, which are installed where they are missing."""
    wanted = VERSIONS[runner]
    pinned = [one for one in (*wanted.packages, *wanted.data) if "==" in one]
    folder = cache_folder() / "conformance" / "-".join(one.replace("==", "-") for one in pinned)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(folder.suffix + ".lock").open("w") as lock:
        # Two runs that begin together install once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            print(f"installing {' and '.join(pinned)} into {folder}", flush=True)
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
            _install(folder, wanted.packages)
            _install(folder, wanted.data, "--no-deps")
            (folder / "ready").touch()
    return folder / "bin"


def _install(folder: Path, packages: tuple[str, ...], *flags: str) -> None:
    if packages:
        words = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", *flags, *packages]
        subprocess.run(words, check=True)
