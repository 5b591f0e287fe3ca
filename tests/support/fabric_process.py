"""A process with a linux fabric of its own, to be killed: ``python -m tests.support.fabric_process FOLDER CLOUD HOW VERB``.

HOW is ``root``, ``rootless`` or ``nobody`` (rootless, after becoming the user nobody; /dev/net/tun as most machines have it).
VERB ``stand`` brings up a network, a router and a port, prints the plug as JSON and serves; ``outside`` does so with a way out
of the machine and a floating address; ``toil`` brings up and takes down for ever; ``purge`` cleans up and ends.
"""

import asyncio
import ctypes
import os
import pwd
import sys
from pathlib import Path

import msgspec

from minicloud.drivers.fabric import Router
from minicloud.drivers.fabric.linux import LinuxFabric, wayout
from tests.support.fabrics import a_gateway, a_network, a_port, a_router, an_external_network, tell_caller

INNER = a_network(1, leases={11: "10.0.0.11"})
OUTER = an_external_network(2)
ROUTER = a_router(3, {31: (INNER, "10.0.0.1/24")}, gateway=a_gateway(41, OUTER, "203.0.113.10/24"))
LED = msgspec.structs.replace(ROUTER, next_hops=["203.0.113.1"], floating={"203.0.113.50": "10.0.0.11"})
PORT = a_port(11, INNER, "10.0.0.11")


def become_nobody() -> None:
    """Give up root for good, and see /dev/net/tun with the rights that udev gives it."""
    libc = ctypes.CDLL(None, use_errno=True)
    node = f"/dev/shm/minicloud-test-tun-{os.getpid()}"

    def must(result: int) -> None:
        if result != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    os.mknod(node, 0o020666, os.makedev(10, 200))
    os.chmod(node, 0o666)
    must(libc.unshare(0x00020000))
    must(libc.mount(b"none", b"/", None, ctypes.c_ulong(0x4000 | 0x40000), None))
    must(libc.mount(node.encode(), b"/dev/net/tun", None, ctypes.c_ulong(4096), None))
    os.unlink(node)
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    # A process that changed its user is closed to its own kind until it says otherwise.
    must(libc.prctl(4, 1, 0, 0, 0))


async def up(fabric: LinuxFabric, router: Router = ROUTER) -> bytes:
    await fabric.ensure_network(INNER)
    await fabric.ensure_network(OUTER)
    await fabric.ensure_router(router)
    return msgspec.json.encode(await fabric.ensure_port(PORT))


async def down(fabric: LinuxFabric) -> None:
    await fabric.ensure_no_port(PORT.id)
    await fabric.ensure_no_router(ROUTER.id)
    await fabric.ensure_no_network(INNER.id)
    await fabric.ensure_no_network(OUTER.id)


async def main(folder: str, cloud_id: str, how: str, verb: str) -> None:
    fabric = LinuxFabric(cloud_id, Path(folder), rootless=how != "root", outside=verb == "outside")
    if verb == "purge":
        await fabric.purge()
        return
    await fabric.open(tell_caller)
    if verb in ("stand", "outside"):
        print((await up(fabric, LED if verb == "outside" else ROUTER)).decode(), flush=True)
        await asyncio.Event().wait()
    while True:
        await up(fabric)
        print("up", flush=True)
        await down(fabric)


if __name__ == "__main__":
    if "MINICLOUD_TEST_CARRIER" in os.environ:
        wayout.CARRIERS = (os.environ["MINICLOUD_TEST_CARRIER"],)
    if sys.argv[3] == "nobody":
        become_nobody()
    asyncio.run(main(*sys.argv[1:5]))
