"""Opens a tap device inside a network namespace; also a program of its own, because a user namespace takes no process with threads.

As a program, ``python -I -S tapdevice.py NAMESPACE NAME QUEUES PID SOCKET``: enters the user namespace of PID and the network
namespace at NAMESPACE, and sends the tap's file descriptors over the unix socket with the inherited number SOCKET.
Uses the standard library alone, so that the program starts in milliseconds and from any place.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR, _IFF_MULTI_QUEUE = 0x0002, 0x1000, 0x4000, 0x0100


def open_tap(namespace: str, name: str, queues: int) -> list[int]:
    """The tap's file descriptors, one for each queue. Moves the calling thread into the namespace for good: give it a thread of its own.

    Raises:
        OSError: the namespace or the device is not there, is in use, or may not be opened.
    """
    entered = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(entered, _CLONE_NEWNET)
    finally:
        os.close(entered)
    return _tap_here(name, queues)


def counters(namespace: str, name: str) -> list[int]:
    """The kernel's 16 numbers of a device: received bytes, packets, errors, drops, ...; from the ninth on what was sent.

    Moves the calling thread into the namespace for good.

    Raises:
        OSError: the namespace or the device is not there.
    """
    entered = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(entered, _CLONE_NEWNET)
    finally:
        os.close(entered)
    with open("/proc/thread-self/net/dev") as table:
        for line in table:
            device, _, numbers = line.partition(":")
            if device.strip() == name:
                return [int(number) for number in numbers.split()]
    raise FileNotFoundError(name)


def _tap_here(name: str, queues: int) -> list[int]:
    # TUNSETIFF would make a missing device, wired to nothing: a machine without network and without an error.
    socket.if_nametoindex(name)
    flags = _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR | (_IFF_MULTI_QUEUE if queues > 1 else 0)
    found: list[int] = []
    try:
        for _ in range(queues):
            found.append(os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK))
            fcntl.ioctl(found[-1], _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
    except OSError:
        for fd in found:
            os.close(fd)
        raise
    return found


def _setns(fd: int, kind: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(fd, kind) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _open_tap_as_user(namespace: str, name: str, queues: int, pid: int) -> list[int]:
    entered = -1
    try:
        entered = os.open(namespace, os.O_RDONLY)
    except OSError:
        # The path may exist only where the owner of the network sees it.
        pass
    mounts = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
    if os.stat(f"/proc/{pid}/ns/user").st_ino != os.stat("/proc/self/ns/user").st_ino:
        _setns(os.open(f"/proc/{pid}/ns/user", os.O_RDONLY), _CLONE_NEWUSER)
    if entered < 0:
        _setns(mounts, _CLONE_NEWNS)
        entered = os.open(namespace, os.O_RDONLY)
    _setns(entered, _CLONE_NEWNET)
    return _tap_here(name, queues)


def _main(namespace: str, name: str, queues: str, pid: str, channel: str) -> int:
    with socket.socket(fileno=int(channel)) as wire:
        try:
            found = _open_tap_as_user(namespace, name, int(queues), int(pid))
        except OSError as error:
            wire.sendall(f"{error.errno or 0} {error.strerror or error}".encode())
            return 1
        socket.send_fds(wire, [b"ok"], found)
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:6]))
