"""What a folder of a cloud with simulated storage holds of volumes, read behind its back, and whether all of it belongs together."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from minicloud.conductor.volume import backup_data
from tests.support.clean_slate import simulated

GiB = 1 << 30
AT_REST = ("available", "in-use", "awaiting-transfer")
ON_THE_WAY = (".export", ".whole", ".staged")


def volume_disorder(folder: Path) -> list[str]:
    """What does not belong together in a cloud at rest, in words; nothing in a healthy one."""
    with closing(sqlite3.connect(f"file:{folder / 'cloud.db'}?mode=ro", uri=True)) as db:
        return [
            *_work(db),
            *_hands(db),
            *_claims(db),
            *_stored(db, folder),
            *_machines(db, folder),
            *_bytes(db, folder),
        ]


def _standing(db: sqlite3.Connection) -> set[str]:
    """Servers that have something. One in ERROR was to boot from a snapshot that was deleted before its turn came: its record alone is left."""
    return {row[0] for row in db.execute("SELECT id FROM servers WHERE deleted = 0 AND vm_state != 'error'")}


def _work(db: sqlite3.Connection) -> list[str]:
    found = [
        f"{kind} of {resource} is {state}"
        for kind, resource, state in db.execute(
            "SELECT kind, resource, state FROM sagas WHERE state NOT IN ('finished', 'rolled_back')"
        )
    ]
    found += [
        f"server {name} is {state} with the task {task}"
        for name, state, task in db.execute("SELECT name, vm_state, task_state FROM servers WHERE deleted = 0")
        if task is not None or state not in ("active", "error")
    ]
    found += [
        f"volume {volume} is {status} to another backend"
        for volume, status in db.execute("SELECT id, migration_status FROM volumes")
        if status in ("starting", "migrating")
    ]
    for table, good in (("volumes", AT_REST), ("volume_snapshots", AT_REST[:1]), ("volume_backups", AT_REST[:1])):
        for thing, status in db.execute(f"SELECT id, status FROM {table}"):
            if status not in good:
                found.append(f"{table}: {thing} is {status}")
    found += [
        f"action {action} of {server} never ended"
        for action, server in db.execute("SELECT action, server_id FROM instance_actions WHERE finished_at IS NULL")
    ]
    return found


def _hands(db: sqlite3.Connection) -> list[str]:
    """Volumes, attachments and the devices of servers tell the same."""
    living = _standing(db)
    statuses = dict(db.execute("SELECT id, status FROM volumes"))
    held = {
        attachment: (volume, server, state)
        for attachment, volume, server, state in db.execute(
            "SELECT id, volume_id, server_id, attach_status FROM volume_attachments"
        )
    }
    devices = list(
        db.execute("SELECT server_id, volume_id, attachment_id FROM block_devices WHERE destination_type = 'volume'")
    )
    found = [f"attachment {a} is {row}" for a, row in held.items() if row[2] != "attached" or row[1] not in living]
    found += [
        f"{server} has the device {volume} without its attachment"
        for server, volume, attachment in devices
        if attachment not in held or held[attachment][:2] != (volume, server)
    ]
    if len(devices) != len(held):
        found.append(f"{len(held)} attachments for {len(devices)} devices")
    in_hands = {volume for volume, _, _ in held.values()}
    found += [
        f"volume {volume} is {status}, and {'somebody' if volume in in_hands else 'nobody'} has it"
        for volume, status in statuses.items()
        if (status == "in-use") != (volume in in_hands)
    ]
    return found


def _claims(db: sqlite3.Connection) -> list[str]:
    living = _standing(db)
    claiming = {row[0] for row in db.execute("SELECT DISTINCT consumer_id FROM placement_allocations")}
    owners = {row[0] for row in db.execute("SELECT device_id FROM ports WHERE device_owner LIKE 'compute:%'")}
    return [
        *(f"{consumer} claims, or lives without a claim" for consumer in claiming ^ living),
        *(f"{owner} has ports, or lives without" for owner in owners ^ living),
    ]


def _stored(db: sqlite3.Connection, folder: Path) -> list[str]:
    found = []
    files: dict[str, Any] = {}
    hosts = dict(db.execute("SELECT id, host FROM volumes"))
    for store, rows in simulated(folder, "volumes").items():
        files |= rows
        found += [
            f"volume {volume} lies in {store}, not on {hosts[volume]}"
            for volume in rows
            if volume in hosts and hosts[volume] is not None and store != store_of(hosts[volume])
        ]
    sizes = dict(db.execute("SELECT id, size FROM volumes"))
    found += [f"volume {volume} has a file, or a record, alone" for volume in set(files) ^ set(sizes)]
    found += [
        f"volume {volume} has {file['virtual_size'] / GiB:g} GiB, not {sizes[volume]}"
        for volume, file in files.items()
        if volume in sizes and file["virtual_size"] != sizes[volume] * GiB
    ]
    frozen = {snapshot for rows in simulated(folder, "snapshots").values() for snapshot in rows}
    known = {row[0] for row in db.execute("SELECT id FROM volume_snapshots")}
    return [*found, *(f"snapshot {snapshot} has a file, or a record, alone" for snapshot in frozen ^ known)]


def store_of(host: str) -> str:
    """Where the simulated world keeps what is on a backend ``machine@backend#pool``."""
    name = host.partition("#")[2]
    return "volumes" if name == "fake" else f"volumes-{name}"


def _machines(db: sqlite3.Connection, folder: Path) -> list[str]:
    wanted: dict[str, set[str]] = {server: set() for server in _standing(db)}
    for server, volume in db.execute("SELECT server_id, volume_id FROM volume_attachments"):
        wanted.setdefault(server, set()).add(volume)
    there: dict[str, set[str]] = {}
    hosts = dict(db.execute("SELECT id, host FROM volumes"))
    wrong = []
    for rows in simulated(folder, "machines").values():
        for server, row in rows.items():
            disks = {disk["serial"]: disk["path"] for disk in row["machine"]["disks"] if disk.get("serial")}
            there[server] = set(disks)
            wrong += [
                f"the machine of {server} has volume {volume} in {path}, not on {hosts[volume]}"
                for volume, path in disks.items()
                if volume in hosts and f"/{store_of(hosts[volume])}/" not in path
            ]
    return wrong + [
        f"the machine of {server} has the volumes {there.get(server)}, not {wanted.get(server)}"
        for server in set(there) | set(wanted)
        if there.get(server) != wanted.get(server)
    ]


def _bytes(db: sqlite3.Connection, folder: Path) -> list[str]:
    """Every backup and every active image has its bytes, and nothing else has any."""
    keys = {path.name for shard in (folder / "blobs").iterdir() if len(shard.name) == 2 for path in shard.iterdir()}
    wanted = {
        row[0] for row in db.execute("SELECT id FROM images WHERE status IN ('active', 'deactivated') AND size > 0")
    }
    for (data_id,) in db.execute("SELECT COALESCE(data_id, id) FROM volume_backups"):
        wanted |= {backup_data.key(data_id), backup_data.key(data_id) + backup_data.INDEX}
    return [f"the bytes {key} are {'left over' if key in keys else 'missing'}" for key in keys ^ wanted]
