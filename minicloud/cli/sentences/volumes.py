"""Sentences of block storage: which backend was chosen and why not another, what a volume became, who has it."""

from minicloud.cli.sentences.facts import Facts, Said, Tell


def _backend(f: Facts) -> Said:
    if f["passed"]:
        return f"storage backend {f['host']} can take it: {f['left_gb']} GiB are left to promise"
    by = f"{f['filter']}: " if str(f.get("filter", "")).endswith("Filter") else ""
    return f"storage backend {f['host']} cannot take it: {by}{f['why']}"


def _volume_asked(f: Facts) -> Said:
    made_of = f" of image {f.name('image')}" if f.get("image") else ""
    return f"a volume of {f['size_gb']} GiB and type {f['type']}{made_of} is written down; from now on it is promised"


def _volume_made(f: Facts) -> Said:
    return f"the volume lies in {f['path']}"


def _status(what: str) -> Tell:
    def tell(f: Facts) -> Said:
        return f"{what} {f.name(what)} was {f['was']} and is {f['now']}"

    return tell


def _hands(done: str) -> Tell:
    def tell(f: Facts) -> Said:
        who = f.name("server") if f.get("server") else "somebody outside of this cloud"
        return f"volume {f.name('volume')} is {done} {who}"

    return tell


def _not_grown(f: Facts) -> Said:
    return f"the host {f['host']} has no guest {f.name('server')} that could grow it: {f['why']}"


def _copied_when_off(f: Facts) -> Said:
    if f.get("volume"):
        return f"no guest of {f.name('server')} writes to volume {f.name('volume')}: its file is frozen as it is"
    return f"the disk of {f.name('machine')} lies still and is copied as a file: {f['why']}"


def _backup_asked(f: Facts) -> Said:
    on = f", of what changed since backup {f.name('parent')}" if f.get("parent") else ""
    return f"a backup of volume {f.name('volume')} is written down{on}"


def _backup_kept(f: Facts) -> Said:
    beside = f", the others are in the {f['on']} backups that it builds on" if f["on"] else ""
    return f"backup {f.name('backup')} keeps {f['chunks']} pieces of 64 KiB, {f['bytes']} bytes{beside}"


def _unthrottled(f: Facts) -> Said:
    return f"the limits of volume {f.name('volume')} do not reach server {f.name('server')}: {f['why']}"


def _migration_asked(f: Facts) -> Said:
    kept = "; nobody may take it for anything else meanwhile" if f["locked"] else ""
    return f"volume {f.name('volume')} is to go from {f['was']} to {f['host']}{kept}"


SENTENCES: dict[str, Tell] = {
    "backend": _backend,
    "backend_selected": lambda f: (
        f"storage backend {f['host']} is chosen of {f['of']}: it has most room left ({f['left_gb']} GiB)"
    ),
    "volume_asked": _volume_asked,
    "volume_placed": lambda f: f"the volume will be on {f['host']}",
    "volume_made": _volume_made,
    "volume_refused": lambda f: f"no further volume may be made for server {f.name('server')}: {f['why']}",
    "volume_not_made": lambda f: f"volume {f.name('volume')} could not be made: {f['why']}",
    "user_message": lambda f: f"its users are told: {f['action']}: {f['detail']}",
    "volume_status": _status("volume"),
    "volume_deleted": lambda f: f"nothing is left of volume {f.name('volume')}",
    "volume_left": lambda f: f"volume {f.name('volume')} could not be removed with its server: {f['why']}",
    "volume_reserved": _hands("reserved for"),
    "volume_attached": _hands("in use by"),
    "volume_detached": _hands("let go of by"),
    "volumes_connected": lambda f: f"the server is told where its {len(f['volumes'])} volumes lie",
    "volume_upload": lambda f: f"volume {f.name('volume')} becomes image {f.name('image')} ({f['format']})",
    "snapshot_asked": lambda f: f"a snapshot of volume {f.name('volume')} is promised",
    "snapshot_status": _status("snapshot"),
    "volume_retyped": lambda f: f"volume {f.name('volume')} is of type {f['type']} now",
    "volume_exported": lambda f: f"the bytes of volume {f.name('volume')} are read out: {f['bytes']} of them",
    "unmanaged": lambda f: f"the {f['kind']} {f.name('id')} is let go of; what it holds stays on {f['host']}",
    "disk_throttled": lambda f: f"server {f.name('server')} holds volume {f.name('volume')} to its limits",
    "disk_not_throttled": _unthrottled,
    "backup_asked": _backup_asked,
    "backup_kept": _backup_kept,
    "backup_whole": lambda f: f"backup {f.name('backup')} is put together of {f['of']} backups: {f['bytes']} bytes",
    "backup_status": _status("backup"),
    "backup_deleted": lambda f: f"nothing is left of backup {f.name('backup')}",
    "volume_group": lambda f: f"a group of volumes is written down, {f['status']}",
    "group_snapshot": lambda f: f"a snapshot of group {f.name('group')} is promised, of {f['volumes']} volumes",
    "transfer_offered": lambda f: f"volume {f.name('volume')} is offered to whoever knows the key",
    "transfer_accepted": lambda f: f"volume {f.name('volume')} belongs to project {f.name('project')} now",
    "snapshot_deleted": lambda f: f"nothing is left of snapshot {f.name('snapshot')}",
    "not_grown": _not_grown,
    "copied_when_off": _copied_when_off,
    "migration_asked": _migration_asked,
    "volume_moved": lambda f: f"volume {f.name('volume')} is on {f['host']} now, and no longer on {f['was']}",
    "migrations_awaited": lambda f: f"{f.name('server')} goes once {len(f['volumes'])} volumes of it have moved",
    "clones_awaited": lambda f: (
        f"{len(f['clones'])} volumes are being made of volume {f.name('volume')}: its old file stays until then"
    ),
    "volume_not_led": lambda f: f"volume {f.name('volume')} is looked at again: {f['why']}",
    "no_disk_to_move": lambda f: f"host {f['host']} has no disk of {f.name('server')} to move: {f['why']}",
    "disk_mirror": lambda f: (
        f"what {f.name('machine')} writes to disk {f.name('disk')} goes to {f['path']}, too, and so does all that is on it"
    ),
    "disk_moved": lambda f: f"{f.name('machine')} has disk {f.name('disk')} in {f['path']} now, and went on meanwhile",
    "node_not_dropped": lambda f: f"QEMU does not let go of {f['node']} yet: {f['why']}",
}
"""By word."""
