"""The network cards of servers: their ports, and the security groups that these are in."""

from collections.abc import Callable

from minicloud.base.errors import Conflict, NotFound
from minicloud.core.compute import locks, servers
from minicloud.core.compute.servers import Server
from minicloud.core.context import Context
from minicloud.core.network import ports, security_groups
from minicloud.core.network.ports import PortDetails
from minicloud.core.network.rows import SecurityGroup, SecurityGroupRule
from minicloud.core.records import select_in
from minicloud.engines.database import Transaction


def of_server(tx: Transaction, context: Context, server_id: str) -> tuple[Server, list[PortDetails]]:
    """A server and its ports, in order. Raises NotFound."""
    server = servers.get(tx, context, server_id)
    return server, ports.details(tx, ports.of_server(tx, server.id))


def get(tx: Transaction, context: Context, server_id: str, port_id: str) -> tuple[Server, PortDetails]:
    """One port of a server. Raises NotFound."""
    server = servers.get(tx, context, server_id)
    port = ports.get(tx, context, port_id)
    if port.device_id != server.id:
        raise NotFound(f"Instance {server_id} does not have a port with id {port_id}")
    return server, ports.details(tx, [port])[0]


def groups(tx: Transaction, context: Context, server_id: str) -> list[tuple[SecurityGroup, list[SecurityGroupRule]]]:
    """The security groups that the server's ports are in, by name, with their rules. Raises NotFound."""
    _, details = of_server(tx, context, server_id)
    ids = sorted({group for one in details for group in one.security_groups})
    found = sorted(select_in(tx, SecurityGroup, "id", ids), key=lambda group: (group.name, group.id))
    rules = security_groups.rules_of(tx, ids)
    return [(group, rules[group.id]) for group in found]


def add_group(tx: Transaction, context: Context, server_id: str, name: str) -> None:
    """Put every port of the server that has security into the group. Raises NotFound, Conflict."""
    server, group_id = _found(tx, context, server_id, name)
    _regroup(tx, server, lambda had: [*had, group_id] if group_id not in had else had)


def remove_group(tx: Transaction, context: Context, server_id: str, name: str) -> None:
    """Take every port of the server out of the group. Raises NotFound, also when none is in it; Conflict."""
    server, group_id = _found(tx, context, server_id, name)
    if not _regroup(tx, server, lambda had: [kept for kept in had if kept != group_id]):
        raise NotFound(f"Security group {name} not associated with the instance {server.id}")


def _found(tx: Transaction, context: Context, server_id: str, name: str) -> tuple[Server, str]:
    server = servers.get(tx, context, server_id)
    locks.require_unlocked(context, server)
    if server.host is None:
        raise Conflict(f"Instance {server_id} is not ready", kind="not_ready")
    return server, security_groups.resolve(tx, server.project_id, [name])[0]


def _regroup(tx: Transaction, server: Server, wanted: Callable[[list[str]], list[str]]) -> bool:
    changed = False
    for one in ports.details(tx, ports.of_server(tx, server.id)):
        groups = wanted(one.security_groups)
        if one.port.port_security_enabled and groups != one.security_groups:
            ports.change(tx, one.port, groups=groups)
            changed = True
    return changed
