"""The desk of a running cloud: what it answers to the commands of whoever runs it, over the control socket."""

import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread
import msgspec

from minicloud.agent import calls
from minicloud.base.errors import Conflict, Invalid
from minicloud.base.trace import Latest
from minicloud.base.trace_file import TraceFile
from minicloud.cloud import Cloud
from minicloud.conductor.compute.specs import spec_of
from minicloud.conductor.demo import Demo, PlayDemo, Word
from minicloud.core import records
from minicloud.core.compute import hosts, lifecycle, servers
from minicloud.core.context import administrator
from minicloud.core.scheduler.rehearsal import Rehearsal, rehearse, wish_of
from minicloud.engines.database import Transaction
from minicloud.operations.reads import READS, glance

Answer = Callable[[dict[str, Any]], Awaitable[Any]]


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """The way to a TCP port of a guest: a program that joins its stdin and stdout to it.

    ``known_as``: whose keys it shows; a server that was built anew is somebody else.
    """

    server_id: str
    known_as: str
    name: str
    host: str
    address: str
    argv: list[str]


def answers(cloud: Cloud) -> dict[str, Answer]:
    """Everything that this cloud may be asked, by name."""
    found: dict[str, Answer] = {
        "status": partial(status, cloud),
        "notes": partial(notes, cloud),
        "reach": partial(reach, cloud),
        "console": partial(console, cloud),
        "demo": partial(demo, cloud),
        "schedule": partial(schedule, cloud),
    }
    found |= {name: partial(_read, cloud, READS[name]) for name in READS}
    return found


async def status(cloud: Cloud, given: dict[str, Any]) -> dict[str, Any]:
    """The cloud at a glance, with what only it knows: hosts up, the reconcilers' last runs, its memory."""
    seen = await cloud.world.database.read(glance)
    living = await cloud.world.servicegroup.members()
    facts: dict[str, Any] = msgspec.to_builtins(seen)
    for host in facts["hosts"]:
        known = living.get(hosts.member(host["host"]))
        host["up"] = known is not None and known.up and not host["forced_down"]
        host["seen"] = None if known is None else known.seen
    return {
        **facts,
        "driver": cloud.driver,
        "reconcilers": cloud.reconcilers.last,
        "memory_mb": await anyio.to_thread.run_sync(own_memory_mb),
        "trace_stopped": None if cloud.trace_file is None else cloud.trace_file.stopped,
    }


async def notes(cloud: Cloud, given: dict[str, Any]) -> list[Any]:
    """Notes of the trace, as ``TraceReader.read`` takes its arguments; up to this moment."""
    sink = cloud.sink
    if not isinstance(sink, TraceFile | Latest):
        raise Conflict("the trace of this cloud goes elsewhere: ask there")
    read = partial(sink.read, **given)
    return await anyio.to_thread.run_sync(read)


async def reach(cloud: Cloud, given: dict[str, Any]) -> Way:
    """The way to a TCP port of a server's guest. Raises NotFound, Conflict, Unavailable."""
    text, tcp_port = str(given["server"]), int(given["port"])

    def found(tx: Transaction) -> tuple[servers.Server, list[calls.Port]]:
        server = servers.named(tx, administrator(), text)
        return server, [nic.port for nic in spec_of(tx, server.id).nics]

    server, ports = await cloud.world.database.read(found)
    if server.power_state != lifecycle.RUNNING or server.host is None:
        raise Conflict(
            f"{server.name} is {server.status}: only a server that runs can be reached, see `minicloud explain`"
        )
    if not ports:
        raise Conflict(f"{server.name} has no port: create servers with --network to reach them")
    argv = await cloud.world.agents.ask(server.host, calls.Reach(port=ports[0], tcp_port=tcp_port))
    address = next(iter(ports[0].addresses), "")
    built = "".join(letter for letter in server.launched_at or "" if letter.isdigit())
    return Way(
        server_id=server.id,
        # What rescues a server has keys of its own.
        known_as=f"{server.id}.{built}{'.rescue' if server.vm_state == lifecycle.RESCUED else ''}",
        name=server.name,
        host=server.host,
        address=address,
        argv=argv,
    )


async def console(cloud: Cloud, given: dict[str, Any]) -> str:
    """The last bytes of a server's serial console, as text. Raises NotFound, Conflict."""
    text, tail_bytes = str(given["server"]), int(given["tail_bytes"])
    server = await cloud.world.database.read(lambda tx: servers.named(tx, administrator(), text))
    if server.host is None:
        raise Conflict(f"{server.name} is {server.status} and has no host, hence no console")
    output = await cloud.world.agents.ask(server.host, calls.ConsoleOutput(server_id=server.id, tail_bytes=tail_bytes))
    return output.decode(errors="replace")


async def schedule(cloud: Cloud, given: dict[str, Any]) -> Rehearsal:
    """Where a server would go, and why. Raises NotFound, Conflict for names that name none or many."""
    world, wish = cloud.world, wish_of(given)
    return await world.database.read(
        lambda tx: rehearse(
            tx,
            world.placement,
            wish,
            is_up=hosts.up_unless(world.servicegroup.down),
            options=world.scheduler,
            known=world.known_hosts,
        )
    )


async def demo(cloud: Cloud, given: dict[str, Any]) -> dict[str, Any]:
    """Start a demo saga, or tell one the word that it waits for. Raises Invalid, NotFound, Conflict."""
    do = given["do"]
    if do == "start":

        def begin(tx: Transaction) -> dict[str, Any]:
            made = records.insert(tx, Demo(id=tx.ids.uuid()))
            return {"demo": made.id, "saga": cloud.executor.begin(tx, PlayDemo(demo_id=made.id))}

        return await cloud.world.database.write(begin)
    words: dict[str, Word] = {"tell": "go", "fail": "fail"}
    if do not in words:
        raise Invalid(f"a demo can be started, told or failed, not {do!r}")

    def tell(tx: Transaction) -> dict[str, Any]:
        found = records.get(tx, Demo, str(given["demo"]))
        if found.reached == "finished":
            raise Conflict(f"the demo {found.id} has finished already")
        records.change(tx, found, word=words[do])
        return {"demo": found.id, "told": words[do]}

    return await cloud.world.database.write(tell)


async def _read(cloud: Cloud, fn: Callable[..., Any], given: dict[str, Any]) -> Any:
    return await cloud.world.database.read(lambda tx: fn(tx, **given))


def own_memory_mb(pid: int | None = None) -> float | None:
    """The proportional set size of a process in MiB; None where the kernel does not tell."""
    try:
        text = Path(f"/proc/{pid or os.getpid()}/smaps_rollup").read_text()
    except OSError:
        return None
    return next((round(int(line.split()[1]) / 1024, 1) for line in text.splitlines() if line.startswith("Pss:")), None)
