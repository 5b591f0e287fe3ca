"""Sentences of moves and of what becomes of servers' states: migrations, disks under way, places that are held."""

from minicloud.cli.sentences.facts import Facts, Said, Tell

_KINDS = {
    "resize": "resize",
    "migration": "cold migration",
    "live-migration": "live migration",
    "evacuation": "evacuation",
}


def _migration(f: Facts) -> Said:
    kind, ways = _KINDS.get(f["type"], f["type"]), ""
    if f.get("source"):
        ways += f" from {f['source']}"
    if f.get("dest_host"):
        ways += f" to {f['dest_host']}"
    return f"the {kind} of {f.name('server')}{ways} is {f['status']}"


def _not_undone(f: Facts) -> Said:
    where = f" on host {f['host']}" if f.get("host") else ""
    return f"{f['message']}{where} could not be done while taking back: {f['why']}"


SENTENCES: dict[str, Tell] = {
    "migration": _migration,
    "pack_disk": lambda f: f"{f['disk']} is packed for the way",
    "unpack_disk": lambda f: f"{f['disk']} has come and is unpacked",
    "not_undone": _not_undone,
    "nothing_to_hold": lambda f: f"server {f.name('server')} has nothing of its old host that could be held",
    "ratio_changed": lambda f: f"host {f['host']} offers {f['ratio']} {f['resource_class']} for each real one now",
    "state_reset": lambda f: (
        f"server {f.name('server')} was {f['before']}{f', {task}' if (task := f.get('task')) else ''}; it is set to {f['now']}"
    ),
    "power_settled": lambda f: (
        f"the guest of {f.name('server')} is {f['seen']} on host {f['host']}, so the server is {f['vm_state']}"
    ),
    "allocation_candidates": lambda f: f"Placement finds {f['count']} candidates among {f['providers']} providers",
}
