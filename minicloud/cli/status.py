"""``minicloud status``: is the cloud up, where, and how is it."""

import time
from typing import Any

from minicloud.base.errors import NotFound, Unavailable
from minicloud.cli import show
from minicloud.cli.folder import CONTROL, Folder, Running
from minicloud.cli.options import Data, Json, folder_of

MOST_HOSTS = 20
"""Hosts listed one by one; of more only the numbers are told, unless they are asked for."""


def status(data: Data = None, json: Json = False) -> None:
    """Tell whether the cloud is up, its hosts, its servers, and work that is stuck.

    Ends with code 1 when it is not up.
    """
    import typer

    folder = folder_of(data)
    facts = gather(folder)
    if json:
        show.as_json(facts)
    else:
        show.lines(_lines(facts))
    if not facts["up"]:
        raise typer.Exit(1)


def gather(folder: Folder) -> dict[str, Any]:
    """All that is known of the cloud in a folder; of a stopped one what its files tell."""
    running = folder.running()
    if running is None:
        starting = folder.locked()
        known = {"up": False, "starting": starting, "data": str(folder.path), "pid": folder.pid() if starting else None}
        return known | _from_files(folder)
    facts = {"up": True, "starting": False, "data": str(folder.path), **_where(running)}
    from minicloud.cli import control

    try:
        told: dict[str, Any] = control.ask(folder.file(CONTROL), "status")
    except Unavailable as error:
        return facts | {"trouble": error.message} | _from_files(folder)
    return facts | told


def _from_files(folder: Folder) -> dict[str, Any]:
    import msgspec

    from minicloud.operations import offline, reads

    try:
        seen: dict[str, Any] = msgspec.to_builtins(offline.read(folder.path, reads.glance))
    except NotFound:
        return {}
    return seen


def _where(running: Running) -> dict[str, Any]:
    return {
        "url": running.url,
        "listen": running.listen,
        "port": running.port,
        "pid": running.pid,
        "uptime_s": round(time.time() - running.started_at, 1),
        "version": running.version,
    }


def _lines(facts: dict[str, Any]) -> list[str]:
    data = facts["data"]
    if facts["up"]:
        memory = "" if facts.get("memory_mb") is None else f", {facts['memory_mb']:g} MiB"
        lines = [
            f"minicloud {facts['version']} is up at {facts['url']}",
            f"  process  {facts['pid']}, for {show.duration(facts['uptime_s'])}{memory}",
        ]
    else:
        starting = f"starting (process {facts['pid']})" if facts["starting"] else "not up"
        lines = [f"minicloud is {starting}"]
    lines.append(f"  data     {data}")
    if "servers" in facts:
        lines += [_hosts(facts["hosts"], up=facts["up"]), _servers(facts["servers"]), *_sagas(facts)]
    for key, words in (("trouble", "trouble "), ("trace_stopped", "trace   ")):
        if facts.get(key):
            lines.append(f"  {words} {facts[key]}")
    lines += [
        f"  repair   {name} failed: {last['error']}"
        for name, last in facts.get("reconcilers", {}).items()
        if last["error"]
    ]
    if not facts["up"] and not facts["starting"]:
        lines.append(f"Next: minicloud up{Folder(data).option()}")
    return lines


def _hosts(hosts: list[dict[str, Any]], *, up: bool) -> str:
    if not up or any("up" not in host for host in hosts):
        return f"  hosts    {len(hosts)} known"
    down = [host["host"] for host in hosts if not host["up"]]
    disabled = [host["host"] for host in hosts if not host["enabled"]]
    words = f"  hosts    {len(hosts) - len(down)} up, {len(down)} down"
    words += f" ({', '.join(down[:MOST_HOSTS])})" if down else ""
    return words + (f", disabled: {', '.join(disabled[:MOST_HOSTS])}" if disabled else "")


def _servers(counts: dict[str, int]) -> str:
    total = sum(counts.values())
    if not total:
        return "  servers  none"
    return f"  servers  {total}: " + ", ".join(f"{number} {state}" for state, number in counts.items())


def _sagas(facts: dict[str, Any]) -> list[str]:
    if not facts["open_sagas"] and not facts["stuck_sagas"]:
        return ["  work     nothing under way, nothing stuck"]
    hint = f": see `minicloud saga list{Folder(facts['data']).option()}`"
    return [f"  work     {facts['open_sagas']} under way, {facts['stuck_sagas']} stuck{hint}"]
