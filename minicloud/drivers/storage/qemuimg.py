"""Runs qemu-img under limits of memory, time and room, always with stated formats; what a limit ends says which one."""

import signal
from collections.abc import Sequence

from minicloud.base import tools
from minicloud.base.errors import ToolFailed

MEMORY = 2 << 30
"""Bytes of address space that one qemu-img may take."""
_NO_MEMORY = ("Cannot allocate memory", "failed to allocate", "Could not allocate", "Out of memory")
_NO_ROOM = "No space left on device"


async def qemu_img(
    *arguments: str,
    cpu_s: int = 30,
    timeout_s: float = 120.0,
    accept: Sequence[int] = (0,),
    memory_bytes: int = MEMORY,
    file_bytes: int | None = None,
) -> None:
    """Run one qemu-img command; it may take so much processor time, and no file that it writes may grow larger than this.

    Raises ToolMissing, ToolFailed with qemu-img's own words, or with the limit that it ran into.
    """
    program = tools.need("qemu-img")
    limits = [f"--as={memory_bytes}", f"--cpu={cpu_s}", "--core=0"]
    if file_bytes is not None:
        limits.append(f"--fsize={file_bytes}")
    try:
        await tools.run("prlimit", *limits, "--", program, *arguments, timeout_s=timeout_s, accept=accept)
    except ToolFailed as error:
        if _NO_ROOM in str(error.detail.get("stderr", "")):
            raise ToolFailed(f"the disk is full: qemu-img {arguments[0]} found no room left", **error.detail) from error
        why = _why(error, cpu_s=cpu_s, timeout_s=timeout_s, memory_bytes=memory_bytes, file_bytes=file_bytes)
        raise ToolFailed(f"qemu-img {arguments[0]} {why}", **error.detail) from error


def _why(error: ToolFailed, *, cpu_s: int, timeout_s: float, memory_bytes: int, file_bytes: int | None) -> str:
    code, words = error.detail.get("code"), str(error.detail.get("stderr", ""))
    if code is None:
        return f"did not end within {timeout_s:g} s"
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"took more than {cpu_s} s of processor time, which is all that it may have"
    if file_bytes is not None and (code == -signal.SIGXFSZ or "File too large" in words):
        return f"wrote more than {file_bytes >> 20} MiB, for which there is no room"
    if any(sign in words for sign in _NO_MEMORY):
        return f"wanted more than the {memory_bytes >> 20} MiB of memory that it may have"
    lines = words.strip().splitlines()
    if not lines:
        return f"failed: it ended with {code}"
    return f"failed: {_own_words(lines)}"


def _own_words(lines: list[str]) -> str:
    """The first line that qemu-img wrote itself; what follows is often a second complaint about the same thing."""
    for line in lines:
        for mark in ("qemu-img: ", "ERROR: "):
            if line.startswith(mark):
                return line.removeprefix(mark)
    return lines[-1]
