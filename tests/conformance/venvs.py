"""Where suites are installed: an environment of each version's own in the user's cache, made once."""

import subprocess
import sys
from pathlib import Path

from minicloud.settings import cache_folder

VERSIONS = {
    "tempest": ["tempest==47.0.0"],
    "gabbi": ["gabbi==4.2.3", "openstack-placement==16.0.0"],
}
"""What each runner needs from PyPI; the score of a suite is that of a version."""


def environment(runner: str) -> Path:
    """The folder of a runner's programs, which are installed where they are missing."""
    wanted = VERSIONS[runner]
    folder = cache_folder() / "conformance" / "-".join(one.replace("==", "-") for one in wanted)
    ready = folder / "ready"
    if not ready.exists():
        print(f"installing {' and '.join(wanted)} into {folder}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run(
            [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", wanted[0]], check=True
        )
        for data in wanted[1:]:
            # Only its stories are wanted, not what a placement of its own would need.
            subprocess.run(
                [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "--no-deps", data],
                check=True,
            )
        ready.touch()
    return folder / "bin"
