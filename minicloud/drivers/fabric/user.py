"""The user fabric: QEMU's own user networking, where a machine allows no namespaces. Each guest is alone with the outside.

A guest sees 169.254.0.0/16, because the metadata address has to lie inside; addresses, routers and other guests of its
networks are not there. Its requests to 169.254.169.254 come to a unix socket of its own, by which it is known.
"""

import os
import shlex
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import anyio
import anyio.abc
import msgspec

from minicloud.base import trace
from minicloud.base.errors import NotFound, Unavailable
from minicloud.drivers.fabric import (
    AnswerMetadata,
    FabricFacts,
    MetadataCaller,
    Network,
    Plug,
    Port,
    Router,
    UserPlug,
    relay,
)
from minicloud.drivers.fabric.background import Background
from minicloud.drivers.fabric.checks import check_id, check_network, check_port, check_router, router_ports
from minicloud.drivers.fabric.metadata import Limits, MetadataServer
from minicloud.drivers.fabric.wishes import Wishes
from minicloud.drivers.privatefolder import make_private

_GUEST = "169.254.2.15"
_SOCKET = "metadata.sock"


class UserFabric:
    """User networking for every port; ``folder`` keeps what is wished, and a folder per port with its socket and its SSH port."""

    def __init__(self, folder: Path, *, limits: Limits | None = None) -> None:
        self._folder = folder.resolve()
        self._limits = limits
        self._networks = Wishes(self._folder / "networks", Network)
        self._routers = Wishes(self._folder / "routers", Router)
        self._ports = Wishes(self._folder / "ports", Port)
        self._background = Background()
        self._server: MetadataServer | None = None
        self._doors: dict[str, anyio.CancelScope] = {}

    async def open(self, answer_metadata: AnswerMetadata) -> None:
        make_private(self._folder)
        await self._background.start()
        self._server = MetadataServer(answer_metadata, self._limits)
        for wishes in (self._networks, self._routers, self._ports):
            wishes.load()
        for port in self._ports.all():
            await self._open_door(port)

    async def close(self) -> None:
        self._server = None
        self._doors.clear()
        await self._background.stop()

    async def ensure_network(self, network: Network) -> None:
        check_network(network)
        if self._networks.get(network.id) is None:
            trace.note("fabric_skipped", network=network.id, what="user networking: guests do not see each other here")
        self._networks.put(network)

    async def ensure_no_network(self, network_id: str) -> None:
        check_id("network", network_id)
        for port in [p for p in self._ports.all() if p.network_id == network_id]:
            await self.ensure_no_port(port.id)
        self._networks.drop(network_id)

    async def ensure_router(self, router: Router) -> None:
        check_router(router)
        for interface in router_ports(router):
            self._standing(interface.network_id)
        if self._routers.get(router.id) is None:
            trace.note("fabric_skipped", router=router.id, what="user networking: QEMU itself leads guests outside")
        self._routers.put(router)

    async def ensure_no_router(self, router_id: str) -> None:
        check_id("router", router_id)
        self._routers.drop(router_id)

    async def ensure_port(self, port: Port) -> Plug:
        check_port(port)
        self._standing(port.network_id)
        self._ports.put(port)
        folder = self._home(port.id)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        await self._open_door(port)
        ssh = f"127.0.0.1:{self._ssh_port(port.id)}"
        command = shlex.join([sys.executable, "-I", "-S", str(relay.__file__), "unix", str(folder / _SOCKET)])
        options = [
            "net=169.254.0.0/16",
            "ipv6=off",
            f"hostfwd=tcp:{ssh}-:22",
            # Not a chardev: that would serve the first connection and hang at the second.
            f"guestfwd=tcp:169.254.169.254:80-cmd:{command.replace(',', ',,')}",
        ]
        trace.note("fabric", did="port", id=port.id, ssh=ssh)
        return UserPlug(options=",".join(options), ssh=ssh)

    async def ensure_no_port(self, port_id: str) -> None:
        check_id("port", port_id)
        scope = self._doors.pop(port_id, None)
        if scope is not None:
            scope.cancel()
        shutil.rmtree(self._home(port_id), ignore_errors=True)
        self._ports.drop(port_id)

    async def facts(self) -> FabricFacts:
        ids = ([wish.id for wish in wishes.all()] for wishes in (self._networks, self._routers, self._ports))
        networks, routers, ports = (sorted(each) for each in ids)
        return FabricFacts(kind="user", rootless=True, networks=networks, routers=routers, ports=ports)

    async def purge(self) -> None:
        for scope in self._doors.values():
            scope.cancel()
        self._doors.clear()
        for name in ("networks", "routers", "ports", "plugs", "hosts"):
            shutil.rmtree(self._folder / name, ignore_errors=True)
        for wishes in (self._networks, self._routers, self._ports):
            wishes.load()
        trace.note("fabric", did="purge")

    async def reach(self, port: Port, tcp_port: int) -> list[str]:
        ssh = self._kept_ssh_port(port.id)
        if tcp_port != 22 or ssh is None:
            raise Unavailable(
                f"port {tcp_port} of this guest cannot be reached: user networking forwards port 22 of wired ports alone",
                port=port.id,
            )
        return [sys.executable, "-I", "-S", str(relay.__file__), "tcp", "127.0.0.1", str(ssh)]

    async def _open_door(self, port: Port) -> None:
        if self._server is None:
            raise Unavailable("the fabric is not open")
        if port.id in self._doors or not self._home(port.id).exists():
            return
        listener = await anyio.abc.SocketListener.from_socket(_listen(self._home(port.id) / _SOCKET))
        caller = partial(_caller, port.id, next((a for a in port.addresses if ":" not in a), _GUEST))
        self._doors[port.id] = self._background.spawn(self._server.serve, listener, caller, port.id)

    def _home(self, port_id: str) -> Path:
        return self._folder / "plugs" / port_id

    def _standing(self, network_id: str) -> None:
        if self._networks.get(network_id) is None:
            raise NotFound(f"network {network_id} does not stand on this host", network=network_id)

    def _ssh_port(self, port_id: str) -> int:
        """The same loopback port as ever, unless a stranger took it while the guest was off; then another free one."""
        kept = self._kept_ssh_port(port_id)
        if kept is not None and (_free(kept) or _forwards(kept)):
            return kept
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            chosen = int(probe.getsockname()[1])
        file = self._home(port_id) / "ssh.json"
        file.touch(mode=0o600)
        file.write_bytes(msgspec.json.encode(chosen))
        return chosen

    def _kept_ssh_port(self, port_id: str) -> int | None:
        try:
            return msgspec.json.decode((self._home(port_id) / "ssh.json").read_bytes(), type=int)
        except (OSError, msgspec.DecodeError):
            return None


def _caller(port_id: str, address: str, _: str) -> MetadataCaller:
    return MetadataCaller(address=address, port_id=port_id)


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX)
    try:
        with _short(path) as name:
            server.bind(name)
        path.chmod(0o600)
        server.listen(64)
        server.setblocking(False)
    except OSError:
        server.close()
        raise
    return server


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name for a socket of any path: what the kernel takes has room for 107 bytes."""

    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _forwards(port: int) -> bool:
    """Whether some QEMU on this machine was started with this forwarding."""
    wanted = f"hostfwd=tcp:127.0.0.1:{port}-:22,".encode()
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if wanted in line.read_bytes():
                return True
        except OSError:
            continue
    return False
