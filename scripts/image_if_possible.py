"""Builds or reuses the guest image for ``make``; a machine that cannot build it goes on without, and is told what is missing."""

import subprocess
import sys
from pathlib import Path

MINICLOUD = str(Path(sys.executable).with_name("minicloud"))


def main() -> int:
    """0 in any case: without an image a cloud still runs simulated servers, and its users may upload images."""
    # In this process it would have to import all that; found again, it costs some milliseconds this way, too.
    built = subprocess.run([MINICLOUD, "image", "build"], stdout=subprocess.DEVNULL, check=False)
    if built.returncode:
        print("going on without the guest image minilinux", file=sys.stderr)
    return 0


sys.exit(main())
