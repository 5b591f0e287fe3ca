"""Gets hold of a machine's taps, as file descriptors that QEMU inherits, so that QEMU itself needs no rights on networks."""

import asyncio
import contextlib
import errno
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TypeVar

from minicloud.base import tools
from minicloud.base.errors import Failed
from minicloud.drivers.fabric import TapPlug
from minicloud.drivers.hypervisor import Nic
from minicloud.drivers.hypervisor.qemu import tapdevice

T = TypeVar("T")

_ADVICE = {
    errno.ENODEV: "the fabric has not wired this port on this host",
    errno.ENOENT: "its network namespace is not there: the fabric has not wired this port on this host",
    errno.EBUSY: "another process holds it: an earlier QEMU of this port may still run",
    errno.EINVAL: "an earlier QEMU of this port, with another number of queues, may still run",
    errno.EPERM: "not permitted: run minicloud as root, or let the fabric work in a user namespace",
    errno.EACCES: "not permitted: /dev/net/tun must be readable and writable",
}


@contextlib.asynccontextmanager
async def opened(nics: list[Nic]) -> AsyncIterator[dict[str, list[int]]]:
    """File descriptors of the taps among these cards, one for each queue, by the card's id; closed here at the end, QEMU keeps its own copies.

    Raises:
        Failed: a tap cannot be opened; the message says why.
    """
    taps: dict[str, list[int]] = {}
    try:
        for nic in nics:
            if isinstance(nic.plug, TapPlug):
                taps[nic.id] = await open_tap(nic.plug)
        yield taps
    finally:
        for fds in taps.values():
            close(fds)


def passed(taps: Mapping[str, Sequence[int]], memory: int | None) -> list[int]:
    """All that a new QEMU inherits: the taps, and the file that its memory lies in, if it does."""
    found = [descriptor for descriptors in taps.values() for descriptor in descriptors]
    return found if memory is None else [*found, memory]


def close(descriptors: list[int]) -> None:
    """QEMU has them."""
    for descriptor in descriptors:
        os.close(descriptor)


async def open_tap(plug: TapPlug) -> list[int]:
    """One tap's file descriptors, one for each queue. Raises Failed."""
    try:
        if plug.enter_pid is None:
            return await _by_thread(lambda: tapdevice.open_tap(plug.namespace, plug.name, plug.queues), close)
        return await _by_child(plug, plug.enter_pid)
    except OSError as error:
        number = error.errno or 0
        why = _ADVICE.get(number, error.strerror or str(error))
        raise Failed(f"tap {plug.name} cannot be opened: {why}", namespace=plug.namespace, errno=number) from error


async def counters(plug: TapPlug) -> list[int] | None:
    """The kernel's numbers of a tap; None where it lies in a user namespace of its own, or nowhere."""
    if plug.enter_pid is not None:
        return None
    try:
        return await _by_thread(lambda: tapdevice.counters(plug.namespace, plug.name), lambda numbers: None)
    except OSError:
        return None


async def _by_thread(work: Callable[[], T], drop: Callable[[T], None]) -> T:
    """What ``work`` brings, done in a thread of its own; ``drop`` it when nobody waits for it any more."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(found: list[T], error: OSError | None) -> None:
        if result.done():
            for one in found:
                drop(one)
        elif error is not None:
            result.set_exception(error)
        else:
            result.set_result(found[0])

    def run() -> None:
        # setns moves this thread alone, for good; so it may be no thread that anybody else will use.
        try:
            found = work()
        except OSError as error:
            # A missing device is told by if_nametoindex without a number.
            loop.call_soon_threadsafe(settle, [], error if error.errno else OSError(errno.ENODEV, str(error)))
        else:
            loop.call_soon_threadsafe(settle, [found], None)

    threading.Thread(target=run, name="enters a namespace", daemon=True).start()
    return await result


async def _by_child(plug: TapPlug, pid: int) -> list[int]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        await tools.run(
            *(sys.executable, "-I", "-S", tapdevice.__file__),
            *(plug.namespace, plug.name, str(plug.queues), str(pid), str(theirs.fileno())),
            pass_fds=(theirs.fileno(),),
            timeout_s=20.0,
            accept=(0, 1),
        )
        theirs.close()
        said, fds, _, _ = socket.recv_fds(ours, 4096, plug.queues)
    if fds:
        return fds
    number, _, words = said.decode(errors="replace").partition(" ")
    if not number.isdigit():
        raise OSError(errno.EIO, "the program that enters its namespace died")
    raise OSError(int(number) or errno.ENODEV, words)
