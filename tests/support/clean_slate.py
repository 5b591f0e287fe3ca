"""What a folder of a cloud with simulated hosts holds, read behind its back, and whether all of it belongs together."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

POWER = {"active": "running", "stopped": "shutdown"}


def simulated(folder: Path, table: str) -> dict[str, dict[str, Any]]:
    """The rows of a table of the simulated world, by host; a torn last line was promised to nobody."""
    content = (folder / "fake.log").read_bytes()
    found: dict[str, dict[str, Any]] = {}
    for line in content[: content.rfind(b"\n") + 1].splitlines():
        name, host, key, value = msgspec.json.decode(line)
        if name == table:
            if value is None:
                found.get(host, {}).pop(key, None)
            else:
                found.setdefault(host, {})[key] = value
    return found


def disorder(folder: Path) -> list[str]:
    """What does not belong together in a cloud at rest, in words; nothing in a healthy one."""
    with closing(sqlite3.connect(f"file:{folder / 'cloud.db'}?mode=ro", uri=True)) as db:
        return [*_records(db), *_world(db, folder)]


def _records(db: sqlite3.Connection) -> list[str]:
    found = [
        f"{kind} of {resource} is {state}"
        for kind, resource, state in db.execute(
            "SELECT kind, resource, state FROM sagas WHERE state NOT IN ('finished', 'rolled_back')"
        )
    ]
    living = _living(db)
    for server_id, (host, vm_state, task) in living.items():
        if task is not None or vm_state not in POWER or host is None:
            found.append(f"server {server_id} is {vm_state} on {host} with the task {task}")
    claims: dict[str, dict[str, int]] = {}
    for consumer, host, name, used in db.execute(
        "SELECT a.consumer_id, p.name, a.resource_class, a.used FROM placement_allocations a "
        "JOIN placement_providers p ON p.id = a.provider_id"
    ):
        claims.setdefault(consumer, {})[f"{host} {name}"] = used
    for server_id, (host, _, _) in living.items():
        wanted = {f"{host} VCPU": 1, f"{host} MEMORY_MB": 512, f"{host} DISK_GB": 1}
        if claims.pop(server_id, {}) != wanted:
            found.append(f"server {server_id} does not claim what its flavor takes on {host}")
    found += [f"nobody lives who claims {claim} as {consumer}" for consumer, claim in claims.items()]
    consumers = {row[0] for row in db.execute("SELECT id FROM placement_consumers")}
    found += [f"consumer {consumer} is a server of no list" for consumer in consumers ^ set(living)]
    for host, name, used, summed in db.execute(
        "SELECT p.name, i.resource_class, i.used, (SELECT COALESCE(sum(a.used), 0) FROM placement_allocations a "
        "WHERE a.provider_id = i.provider_id AND a.resource_class = i.resource_class) "
        "FROM placement_inventories i JOIN placement_providers p ON p.id = i.provider_id"
    ):
        if used != summed:
            found.append(f"{host} says that {used} {name} are used, and {summed} are")
    found += _ports(db, living)
    found += [
        f"action {action} of {server_id} never ended"
        for action, server_id in db.execute("SELECT action, server_id FROM instance_actions WHERE finished_at IS NULL")
    ]
    return found


def _ports(db: sqlite3.Connection, living: dict[str, tuple[str | None, str, str | None]]) -> list[str]:
    found = []
    owners = []
    for port_id, device, owner, host, addresses in db.execute(
        "SELECT id, device_id, device_owner, host, "
        "(SELECT count(*) FROM ip_allocations a WHERE a.port_id = ports.id) FROM ports"
    ):
        if owner.startswith("network:"):
            continue
        owners.append(device)
        if device not in living:
            found.append(f"port {port_id} belongs to {device or 'nobody'}, which is no server")
        elif host != living[device][0] or addresses != 1:
            found.append(
                f"port {port_id} is bound to {host}, its server lives on {living[device][0]}; {addresses} addresses"
            )
    if sorted(owners) != sorted(living):
        found.append(f"{len(owners)} ports for {len(living)} servers")
    return found


def _world(db: sqlite3.Connection, folder: Path) -> list[str]:
    found = []
    living = _living(db)
    bound: dict[str, set[str]] = {}
    for port_id, host in db.execute("SELECT id, host FROM ports WHERE host <> ''"):
        bound.setdefault(host, set()).add(port_id)
    hosts = [row[0] for row in db.execute("SELECT host FROM compute_nodes")]
    machines, disks, wired = (simulated(folder, table) for table in ("machines", "disks", "ports"))
    for host in hosts:
        wanted = {i: POWER.get(state) for i, (on, state, _) in living.items() if on == host}
        is_there = {i: row["power"] for i, row in machines.get(host, {}).items()}
        if is_there != wanted:
            found.append(f"{host} runs {_odd(is_there, wanted)}")
        stored = {key.partition("/")[0] for key in disks.get(host, {})}
        if stored != set(wanted):
            found.append(f"{host} has disks of {sorted(stored ^ set(wanted))} too many or too few")
        if set(wired.get(host, {})) != bound.get(host, set()):
            found.append(
                f"{host} has wires of {sorted(set(wired.get(host, {})) ^ bound.get(host, set()))} too many or few"
            )
    return found


def _odd(is_there: dict[str, Any], wanted: dict[str, Any]) -> str:
    keys = sorted(set(is_there) | set(wanted))
    return ", ".join(f"{k}: {is_there.get(k)}, not {wanted.get(k)}" for k in keys if is_there.get(k) != wanted.get(k))


def _living(db: sqlite3.Connection) -> dict[str, tuple[str | None, str, str | None]]:
    return {
        server_id: (host, vm_state, task)
        for server_id, host, vm_state, task in db.execute(
            "SELECT id, host, vm_state, task_state FROM servers WHERE deleted = 0"
        )
    }
