"""The room: where a cloud's namespaces live, the machine itself as root or a holder's user namespace, and how to work in them.

Everything is done by few programs: ``ip -batch -`` and ``nft -f -`` get whole scripts, and what must be opened inside a
namespace is opened by a thread (root) or by a child (rootless) of ``enter.py``.
"""

import json
import os
import re
import socket
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from minicloud.base import trace
from minicloud.base.errors import Failed, ToolFailed, Unavailable
from minicloud.base.tools import need, run
from minicloud.drivers.fabric import relay
from minicloud.drivers.fabric.linux import enter
from minicloud.drivers.fabric.linux.hand import Tap
from minicloud.drivers.fabric.linux.handy import Gone, Hand
from minicloud.drivers.fabric.linux.holder import ENTER, PYTHON, end_holder, ensure_holder, find_holder
from minicloud.drivers.fabric.linux.names import prefix
from minicloud.drivers.fabric.linux.processes import Mark, mark
from minicloud.drivers.fabric.together import together

NETNS = "/run/netns"
GONE = "Cannot find device|No such device"
"""What ``ip`` says of a device that is not there, or that went with its other end while it looked."""

EVERYTHING_6 = "::/0"
"""IPv6's default route: ``ip`` calls both ``default``."""

RELAY = str(Path(relay.__file__).resolve())


class Link(msgspec.Struct, frozen=True):
    """A device as it really is. ``addresses`` are of both versions, with prefix length; ``alias`` is what we wrote on it."""

    name: str
    mac: str
    mtu: int
    up: bool
    master: str
    alias: str
    addresses: frozenset[str]


class Room:
    """A cloud's namespaces and the ways into them. ``None`` as a namespace means the room itself: the host's side."""

    def __init__(self, cloud_id: str, folder: Path, *, rootless: bool) -> None:
        self.cloud_id = cloud_id
        self.folder = folder
        self.rootless = rootless
        self._holder: Mark | None = None
        self._hand = Hand()

    @property
    def holder_pid(self) -> int | None:
        """The process whose user namespace has to be entered first; None as root."""
        return self._holder.pid if self._holder else None

    async def open(self) -> None:
        """Find or make the room. Raises Unavailable, ToolMissing."""
        for program in ("nsenter", "ip", "nft"):
            need(program)
        if self.rootless:
            self._holder = await ensure_holder(self.cloud_id, self.folder)
        elif os.geteuid() != 0:
            raise Unavailable("networks of the whole machine need root; choose the rootless or the user fabric")

    def find(self) -> bool:
        """Whether the room is there already, without making one. Raises ToolMissing."""
        if not self.rootless:
            need("ip")
            return os.geteuid() == 0
        if self._holder is None or mark(self._holder.pid) != self._holder:
            self._holder = find_holder(self.cloud_id, self.folder)
        return self._holder is not None

    async def check(self) -> bool:
        """Whether the room stands; a killed holder is replaced, and then everything has to be made anew (False)."""
        if not self.rootless or (self._holder is not None and mark(self._holder.pid) == self._holder):
            return True
        trace.note("holder", pid=self.holder_pid, did="lost")
        self._holder = await ensure_holder(self.cloud_id, self.folder)
        return False

    async def demolish(self) -> None:
        """End the holder, if any."""
        self.let_go()
        if self.rootless:
            await end_holder(self.cloud_id, self.folder)
            self._holder = None

    def path(self, namespace: str) -> str:
        """A namespace's path as seen from our own process."""
        root = f"/proc/{self._holder.pid}/root" if self._holder else ""
        return f"{root}{NETNS}/{namespace}"

    def inside(self, namespace: str | None) -> list[str]:
        """The words before a command that make it run in a namespace."""
        words = ["nsenter"]
        if self._holder is not None:
            words += ["-t", str(self._holder.pid), "-U", "-m", "--preserve-credentials"]
            words += ["-n"] if namespace is None else []
        if namespace is not None:
            words += [f"--net={self.path(namespace)}"]
        return words if len(words) > 1 else []

    async def run(self, namespace: str | None, *argv: str, script: str = "", accept: tuple[int, ...] = (0,)) -> bytes:
        """Run a program inside; its output. Raises ToolMissing, ToolFailed."""
        # Whole paths: an ordinary user's PATH has no sbin, and it is nsenter that looks for the program.
        words = [*self.inside(namespace), need(argv[0]), *argv[1:]]
        if script:
            trace.note("script", program=argv[0], namespace=namespace or "", lines=script.splitlines())
        done = await run(words[0], *words[1:], input=script.encode(), accept=accept)
        return done.stdout

    async def ip(self, namespace: str | None, lines: Iterable[str]) -> None:
        """Run ``ip`` commands, one per line; nothing is run when there are none. Raises ToolFailed."""
        script = "".join(f"{line}\n" for line in lines)
        if script:
            await self.run(namespace, "ip", "-batch", "-", script=script)

    async def ip_as_far_as_possible(
        self, namespace: str | None, lines: list[str], *, may_fail: str, program: str = "ip"
    ) -> None:
        """As ``ip``, but lines whose failure message matches ``may_fail`` are content to fail. Raises ToolFailed."""
        script = "".join(f"{line}\n" for line in lines)
        words = [*self.inside(namespace), need(program), "-force", "-batch", "-"]
        trace.note("script", program=program, namespace=namespace or "", lines=lines)
        done = await run(words[0], *words[1:], input=script.encode(), accept=(0, 1))
        said = [line for line in done.stderr.decode(errors="replace").splitlines() if line]
        bad = [line for line in said if not line.startswith("Command failed") and not re.search(may_fail, line)]
        if done.code and bad:
            raise ToolFailed(f"{program} failed: {bad[0]}", argv=words, code=done.code, stderr="\n".join(said))

    async def nft(self, namespace: str | None, text: str) -> None:
        """Load a rule set, all or nothing. Raises ToolFailed."""
        path = None if namespace is None else self.path(namespace)
        trace.note("script", program="nft", namespace=namespace or "", lines=text.splitlines())
        try:
            await anyio.to_thread.run_sync(self._hand.load, self.holder_pid, path, text)
        except Gone:
            await run(*self.inside(namespace), need("nft"), "-f", "-", input=text.encode())

    async def tap(self, namespace: str, tap: Tap) -> None:
        """The tap stands on its bridge, whether or not it did. Raises ToolFailed."""
        state = "up" if tap["up"] else "down"
        lines = [
            f"tuntap add dev {tap['name']} mode tap vnet_hdr{' multi_queue' if tap['queues'] > 1 else ''}",
            f"link set dev {tap['name']} mtu {tap['mtu']} master {tap['bridge']} addrgenmode none alias {tap['alias']} {state}",
        ]
        try:
            await anyio.to_thread.run_sync(self._hand.ensure_tap, self.holder_pid, self.path(namespace), tap)
        except Gone:
            # One that stands already answers "busy"; one with another kind of queues is left as it is.
            await self.ip_as_far_as_possible(namespace, lines, may_fail="TUNSETIFF.*(busy|Invalid argument)")
        else:
            trace.note("script", program="ip", namespace=namespace, lines=lines)

    def let_go(self) -> None:
        """No process of ours stays behind that only saves time."""
        self._hand.close()

    async def links(self, namespace: str | None) -> dict[str, Link]:
        """Every device inside, by name. Raises ToolFailed."""
        # Only with details does it tell the alias.
        raw = await self.run(namespace, "ip", "-details", "-json", "address", "show")
        found = {}
        for entry in json.loads(raw or b"[]"):
            if not entry.get("ifname"):
                continue
            found[entry["ifname"]] = Link(
                name=entry["ifname"],
                mac=entry.get("address", ""),
                mtu=entry.get("mtu", 0),
                up="UP" in entry.get("flags", []),
                master=entry.get("master", ""),
                alias=entry.get("ifalias", ""),
                addresses=frozenset(
                    f"{a['local']}/{a['prefixlen']}" for a in entry.get("addr_info", []) if a.get("local")
                ),
            )
        return found

    async def routes(self, namespace: str | None) -> list[str]:
        """Destinations of the routes inside: ``default`` (IPv6: ``::/0``) or a CIDR; no link-local ones. Raises ToolFailed."""
        found: dict[int, bytes] = {}

        async def look(version: int) -> None:
            found[version] = await self.run(namespace, "ip", "-json", f"-{version}", "route", "show")

        await together(partial(look, 4), partial(look, 6))
        destinations = {v: [str(e["dst"]) for e in json.loads(raw or b"[]") if "dst" in e] for v, raw in found.items()}
        six = [EVERYTHING_6 if d == "default" else d for d in destinations[6] if not d.startswith("fe80:")]
        return [*destinations[4], *dict.fromkeys(six)]

    def namespaces(self) -> list[str]:
        """Names of this cloud's namespaces, half-made ones included."""
        try:
            names = os.listdir(self.path("").rstrip("/"))
        except FileNotFoundError:
            return []
        return sorted(name for name in names if name.startswith(prefix(self.cloud_id)))

    def stands(self, namespace: str) -> bool:
        """Whether a namespace is there and whole: a process killed while adding one leaves a plain file."""
        try:
            return os.stat(self.path(namespace)).st_dev != os.stat(self.path("")).st_dev
        except OSError:
            return False

    async def ensure_namespace(self, namespace: str) -> bool:
        """The namespace stands; True when it had to be made. Raises ToolFailed."""
        if self.stands(namespace):
            return False
        if namespace in self.namespaces():
            await self.run(None, "ip", "netns", "delete", namespace)
        await self.run(None, "ip", "netns", "add", namespace)
        return True

    async def ensure_no_namespace(self, namespace: str) -> None:
        """The namespace has no name any more; the kernel frees it when nobody is inside. Raises ToolFailed."""
        if namespace in self.namespaces():
            await self.run(None, "ip", "netns", "delete", namespace)

    async def perform(self, namespace: str | None, request: enter.Request) -> list[int]:
        """Open or set things inside; the descriptors. Raises Failed."""
        path = f"/proc/{self.holder_pid or 'self'}/ns/net" if namespace is None else self.path(namespace)
        try:
            if self._holder is None:
                return await anyio.to_thread.run_sync(enter.perform_in_thread, path, request)
            return await open_by_child(path, self._holder.pid, request)
        except OSError as error:
            raise Failed(f"inside {namespace}: {error}", namespace=namespace, request=dict(request)) from error


async def open_by_child(path: str, user_of: int, request: enter.Request) -> list[int]:
    """What ``perform_in_thread`` does, by a child that enters the user namespace of a process first. Raises OSError."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        argv = [*PYTHON, ENTER, "perform", path, str(user_of), json.dumps(request)]
        with anyio.fail_after(30):
            done = await anyio.run_process(argv, stdin=theirs.fileno(), check=False)
        ours.setblocking(False)
        try:
            return enter.receive(ours)
        except BlockingIOError:
            raise OSError(done.stderr.decode(errors="replace").strip() or "the entering child died") from None


def connect_argv(path: str, user_of: int | None, address: str, port: int) -> list[str]:
    """A program that joins stdin and stdout to a TCP port as seen from inside a namespace."""
    return [*PYTHON, ENTER, "connect", path, "-" if user_of is None else str(user_of), RELAY, address, str(port)]
