"""Running programs: always an argument list, never a shell, always with a limit on time, always in the trace."""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import anyio
import msgspec

from minicloud.base import trace
from minicloud.base.errors import ToolFailed, ToolMissing

PACKAGES = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "ip": "iproute2",
    "tc": "iproute2",
    "nft": "nftables",
    "dnsmasq": "dnsmasq-base",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "prlimit": "util-linux",
    "mkswap": "util-linux",
    "pasta": "passt",
    "slirp4netns": "slirp4netns",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "mke2fs": "e2fsprogs",
    "resize2fs": "e2fsprogs",
    "mkfs.vfat": "dosfstools",
    "mcopy": "mtools",
    "mmd": "mtools",
    "syslinux": "syslinux",
    "xorriso": "xorriso",
    "genisoimage": "genisoimage",
    "cpio": "cpio",
    "xz": "xz-utils",
    "dpkg": "dpkg",
    "dpkg-deb": "dpkg",
    "apt-cache": "apt",
    "apt-get": "apt",
}
"""The Debian package of each program we run, for the advice in errors and in ``minicloud doctor``."""

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Completed(msgspec.Struct, frozen=True):
    """What a program left: its exit code and both outputs."""

    code: int
    stdout: bytes
    stderr: bytes


def find(program: str) -> str | None:
    """The program's full path, also in the sbin folders that an ordinary user's PATH lacks; None when it is not installed."""
    path = os.environ.get("PATH", "")
    return shutil.which(program, path=f"{path}:{_SYSTEM_PATH}" if path else _SYSTEM_PATH)


def need(program: str) -> str:
    """The program's full path.

    Raises:
        ToolMissing: it is not installed; the message names the package.
    """
    found = find(program)
    if found is None:
        package = PACKAGES.get(program)
        raise ToolMissing(f"{program} not found" + (f": apt install {package}" if package else ""), program=program)
    return found


async def run(
    program: str,
    *arguments: str,
    input: bytes | None = None,
    timeout_s: float = 60.0,
    accept: Sequence[int] = (0,),
    cwd: str | None = None,
    env: dict[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> Completed:
    """Run a program to its end.

    Raises:
        ToolMissing: it is not installed.
        ToolFailed: it ended with a code that is not in ``accept``, or took longer than ``timeout_s``.
    """
    path = need(program)
    began = time.perf_counter()
    argv = [path, *arguments]
    facts: dict[str, Any] = {"argv": [program, *arguments]}
    more: dict[str, Any] = {"pass_fds": tuple(pass_fds)} if pass_fds else {}
    with anyio.move_on_after(timeout_s) as scope, contextlib.ExitStack() as stack:
        if input is not None:
            # A file, not a pipe: a program that fails before it has read everything would break the pipe, and the
            # broken pipe would hide what it said.
            more["stdin"] = stack.enter_context(tempfile.TemporaryFile())
            more["stdin"].write(input)
            more["stdin"].seek(0)
        done = await anyio.run_process(argv, check=False, cwd=cwd, env=env, **more)
    seconds = round(time.perf_counter() - began, 4)
    if scope.cancelled_caught:
        trace.note("command", **facts, seconds=seconds, timed_out=True)
        raise ToolFailed(f"{program} did not end within {timeout_s:g} s", argv=argv, code=None, stderr="")
    trace.note("command", **facts, seconds=seconds, code=done.returncode)
    if done.returncode not in accept:
        words = done.stderr.decode(errors="replace").strip()
        last = words.splitlines()[-1] if words else "no message"
        raise ToolFailed(
            f"{program} failed ({done.returncode}): {last}", argv=argv, code=done.returncode, stderr=words[-2000:]
        )
    return Completed(done.returncode, done.stdout, done.stderr)
