"""A stand-in for a guest on QEMU's user networking: it starts the command of the plug's guestfwd as QEMU does per connection."""

import re
import shlex

import anyio

from minicloud.drivers.fabric import UserPlug


def guestfwd_command(plug: UserPlug) -> list[str]:
    """The command that QEMU starts for each connection to the metadata address."""
    found = re.search(r"guestfwd=tcp:169\.254\.169\.254:80-cmd:((?:[^,]|,,)*)", plug.options)
    assert found is not None
    return shlex.split(found.group(1).replace(",,", ","))


async def ask_over_guestfwd(plug: UserPlug, path: str) -> tuple[int, bytes]:
    """Status and body of one GET by the plug's guestfwd command."""
    text = f"GET {path} HTTP/1.1\r\nHost: 169.254.169.254\r\nX-Forwarded-For: 10.9.9.9\r\nConnection: close\r\n\r\n"
    with anyio.fail_after(20):
        done = await anyio.run_process(guestfwd_command(plug), input=text.encode())
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    return int(head.split()[1]), body
