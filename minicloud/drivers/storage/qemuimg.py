"""Runs qemu-img under limits of memory and time, always with stated formats."""

from collections.abc import Sequence

from minicloud.base import tools
from minicloud.base.errors import ToolFailed

_ADDRESS_SPACE = 2 << 30


async def qemu_img(*arguments: str, cpu_s: int = 30, timeout_s: float = 120.0, accept: Sequence[int] = (0,)) -> None:
    """Run one qemu-img command. Raises ToolMissing, ToolFailed with qemu-img's own words."""
    program = tools.need("qemu-img")
    limits = (f"--as={_ADDRESS_SPACE}", f"--cpu={cpu_s}")
    try:
        await tools.run("prlimit", *limits, "--", program, *arguments, timeout_s=timeout_s, accept=accept)
    except ToolFailed as error:
        words = str(error.detail.get("stderr", "")).strip().splitlines()
        if not words:
            raise
        raise ToolFailed(f"qemu-img {arguments[0]} failed: {_own_words(words)}", **error.detail) from error


def _own_words(lines: list[str]) -> str:
    """The first line that qemu-img wrote itself; what follows is often a second complaint about the same thing."""
    for line in lines:
        for mark in ("qemu-img: ", "ERROR: "):
            if line.startswith(mark):
                return line.removeprefix(mark)
    return lines[-1]
