"""Asking for moves of servers: what is checked before one is promised, and the migration that is written down with it.

Messages and their order are Nova's (nova 34.0.0: compute/api.py).
"""

from collections.abc import Callable, Sequence

from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import quota, records, user_quotas
from minicloud.core.compute import flavors, hosts, locks, migrations, requests, servers
from minicloud.core.compute.flavors import Flavor
from minicloud.core.compute.migrations import Migration
from minicloud.core.compute.servers import Server, ServerFlavor
from minicloud.core.context import Context
from minicloud.core.image.images import Image
from minicloud.engines.database import Transaction

IsUp = Callable[[str], bool]


def resize(
    tx: Transaction, context: Context, server_id: str, flavor_ref: str, *, disk_config: str | None, is_up: IsUp
) -> tuple[Server, Server, int, Migration]:
    """Take a server for another flavor: as it was, as it is now, the action's id, the migration.

    Raises NotFound, Conflict, Invalid, OverQuota; nothing is to be committed then.
    """
    before = servers.get(tx, context, server_id)
    server, action_id = servers.take(tx, context, server_id, "resize")
    _require_host_up(tx, server, is_up)
    found = flavors.get_usable(tx, context, flavor_ref)
    flavor = requests.flavor_of(found)
    if flavor.disk == 0 and server.flavor.disk != 0:
        raise Invalid("Server disk was unable to be resized because: Resize to zero disk flavor is not allowed.")
    if flavor.id == server.flavor.id:
        raise Invalid("When resizing, instances must change flavor!")
    if found.disabled:
        raise Invalid(Flavor.missing(flavor_ref).message)
    check_quota(tx, server, server.flavor, flavor)
    image = None if server.image_id is None else records.find(tx, Image, server.image_id)
    if image is not None:
        requests.check_fit(image, flavor, zero_disk=True)
        requests.check_topology(image, flavor)
    if disk_config is not None:
        server = records.change(tx, server, disk_config=disk_config)
    move = migrations.begin(
        tx,
        context,
        server,
        "resize",
        "pre-migrating",
        new_flavor=flavor,
        flavor_ids=(flavor_number(tx, server), found.id),
    )
    return before, server, action_id, move


def migrate(
    tx: Transaction, context: Context, server_id: str, *, host: str | None, is_up: IsUp
) -> tuple[Server, Server, int, Migration]:
    """Take a server for another host, as ``resize``; the migration says to which, if one is named."""
    before = servers.get(tx, context, server_id)
    server, action_id = servers.take(tx, context, server_id, "migrate")
    _require_host_up(tx, server, is_up)
    if host is not None:
        if host == server.host:
            raise Invalid("Cannot migrate to the host where the server exists.")
        require_host(tx, host)
    number = flavor_number(tx, server)
    move = migrations.begin(tx, context, server, "migration", "pre-migrating", flavor_ids=(number, number))
    return before, server, action_id, move


def confirm(tx: Transaction, context: Context, server_id: str, *, is_up: IsUp) -> tuple[Server, int, Migration]:
    """Take a resized server to be confirmed. Raises NotFound, Conflict, Invalid (it was not resized)."""
    server, action_id = servers.take(tx, context, server_id, "confirm_resize")
    move = _finished(tx, server)
    if move.source_compute is not None and not _is_up(tx, move.source_compute, is_up):
        raise Conflict("Service is unavailable at this time.")
    return server, action_id, migrations.move(tx, move.uuid, "confirming")


def revert(tx: Transaction, context: Context, server_id: str) -> tuple[Server, int, Migration]:
    """Take a resized server to be reverted. Raises NotFound, Conflict, Invalid (it was not resized), OverQuota."""
    server, action_id = servers.take(tx, context, server_id, "revert_resize")
    move = _finished(tx, server)
    assert move.old_flavor is not None
    check_quota(tx, server, server.flavor, move.old_flavor)
    return server, action_id, migrations.move(tx, move.uuid, "reverting")


def live_migrate(
    tx: Transaction, context: Context, server_id: str, *, host: str | None
) -> tuple[Server, Server, int, Migration]:
    """Take a running server to another host, as ``resize``. Raises NotFound, Conflict, Invalid (no such host)."""
    before = servers.get(tx, context, server_id)
    server, action_id = servers.take(tx, context, server_id, "live_migrate")
    if host is not None:
        require_host(tx, host)
    number = flavor_number(tx, server)
    numbers = (number, number)
    move = migrations.begin(tx, context, before, "live-migration", "accepted", dest=host, flavor_ids=numbers)
    return before, server, action_id, move


def ask_about_live(
    tx: Transaction, context: Context, server_id: str, number: str, *, word: str, statuses: Sequence[str]
) -> tuple[Server, Migration]:
    """A live migration that is under way, to hurry or to abort it; ``word`` is how messages call that.

    Raises NotFound, Conflict (the server is not being migrated, or is locked), Invalid (the migration is not in these states).
    """
    server = servers.get(tx, context, server_id)
    locks.require_unlocked(context, server)
    if server.task_state != "migrating":
        raise Conflict(
            f"Cannot '{word}' instance {server_id} while it is in task_state {server.task_state}", kind="state"
        )
    move = migrations.of_server(tx, server_id, number)
    if move.status not in statuses:
        raise Invalid(
            f"Migration {move.id} state of instance {server_id} is {move.status}. Cannot {word} while the migration is "
            "in this state."
        )
    return server, move


def evacuate(
    tx: Transaction, context: Context, server_id: str, *, host: str | None, password: str | None, is_up: IsUp
) -> tuple[Server, Server, int, Migration]:
    """Take a server off a host that is down, as ``resize``. ``host``: where it shall go; ``password``: its new one.

    Raises NotFound (also for a host that is not there), Conflict, Invalid (its host is up).
    """
    before = servers.get(tx, context, server_id)
    if host is not None and hosts.node_of(tx, host) is None:
        raise NotFound(f"Compute host {host} not found.")
    if host is not None and host == before.host:
        raise Invalid("The target host can't be the same one.")
    server, action_id = servers.take(tx, context, server_id, "evacuate")
    if server.host is not None and _is_up(tx, server.host, is_up):
        raise Invalid(f"Compute service of {server.host} is still in use.")
    if password is not None:
        server = records.change(tx, server, admin_password=password)
    number = flavor_number(tx, server)
    numbers = (number, number)
    move = migrations.begin(tx, context, before, "evacuation", "accepted", dest=host, flavor_ids=numbers)
    return before, server, action_id, move


def _finished(tx: Transaction, server: Server) -> Migration:
    move = migrations.with_status(tx, server.id, "finished")
    if move is None:
        raise Invalid("Instance has not been resized.")
    return move


def check_quota(tx: Transaction, server: Server, old: ServerFlavor, new: ServerFlavor) -> None:
    """Raises OverQuota where the project or the user may not have what the new flavor takes more than the old one."""
    deltas = {"cores": new.vcpus - old.vcpus, "ram": new.memory_mb - old.memory_mb}
    more = {name: delta for name, delta in deltas.items() if delta > 0}
    project_id, user_id = server.project_id, server.user_id
    quota.check(tx, "compute", project_id, more, lambda: requests.usage(tx, project_id))
    user_quotas.check(tx, "compute", project_id, user_id, more, lambda: requests.usage(tx, project_id, user_id))


def require_host(tx: Transaction, host: str) -> hosts.ComputeNode:
    """The node of a host that somebody named. Raises Invalid in Nova's words."""
    node = hosts.node_of(tx, host)
    if node is None:
        raise Invalid(f"Compute host {host} could not be found.")
    return node


def flavor_number(tx: Transaction, server: Server) -> int | None:
    """The number of a server's flavor; None when that was deleted."""
    found = records.find(tx, Flavor, server.flavor.id)
    return None if found is None else found.id


def _is_up(tx: Transaction, host: str, reports: IsUp) -> bool:
    return reports(host) and host not in hosts.forced_down(tx)


def _require_host_up(tx: Transaction, server: Server, is_up: IsUp) -> None:
    if server.host is not None and not _is_up(tx, server.host, is_up):
        raise Conflict("Service is unavailable at this time.")
