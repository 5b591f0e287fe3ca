"""The network cards of servers: their ports, how one more is asked for, and the security groups that these are in."""

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from minicloud.base.errors import Conflict, Forbidden, Invalid, NotFound, OverQuota
from minicloud.core import context as contexts
from minicloud.core import records
from minicloud.core.compute import locks, servers
from minicloud.core.compute.servers import Server
from minicloud.core.context import Context
from minicloud.core.network import networks, ports, rbac, security_groups
from minicloud.core.network.ports import PortDetails
from minicloud.core.network.rows import Network, Port, SecurityGroup, SecurityGroupRule
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


def refuse_external(tx: Transaction, context: Context, network: Network) -> None:
    """Raises Forbidden for a network to the outside that is not shared: servers stand behind a router there."""
    if network.external and not rbac.is_shared(tx, context, network.id):
        raise Forbidden(f"It is not allowed to create an interface on external network {network.id}")


def attach(
    tx: Transaction,
    context: Context,
    server_id: str,
    *,
    network_id: str | None = None,
    port_id: str | None = None,
    address: str | None = None,
    tag: str | None = None,
    external_networks: bool = False,
) -> tuple[Server, int, Port]:
    """One more card for a server, on a port that is made for it or lent to it: the server, the id of the action, the port.

    ``external_networks``: the policy allows a place in a network to the outside.
    Raises NotFound, Conflict, Forbidden, Invalid, OverQuota in Nova's words.
    """
    server, action_id = servers.take(tx, context, server_id, "attach_interface")
    on_behalf = (
        context if context.project_id == server.project_id else contexts.on_behalf(server.user_id, server.project_id)
    )
    if port_id is not None:
        port = _lent(tx, on_behalf, port_id, server)
    else:
        port = _made(tx, on_behalf, server, network_id or _only_network(tx, on_behalf), address)
        if not external_networks:
            refuse_external(tx, on_behalf, networks.get(tx, on_behalf, port.network_id))
    if server.host is not None:
        port = ports.bind(tx, port.id, server.host)
    if tag is not None:
        server = records.change(tx, server, nic_tags={**server.nic_tags, port.id: tag})
    return server, action_id, port


def detach(tx: Transaction, context: Context, server_id: str) -> tuple[Server, int]:
    """A server is to lose a card. Raises NotFound, Conflict."""
    return servers.take(tx, context, server_id, "detach_interface")


def forget(tx: Transaction, server: Server, port_id: str) -> None:
    """The server has no card of this port any more; the port is deleted, or free again."""
    port = records.find(tx, Port, port_id)
    if port is not None and port.device_id == server.id:
        ports.release(tx, port)
    _without_tag(tx, server, port_id)


def _without_tag(tx: Transaction, server: Server, port_id: str) -> None:
    if port_id in server.nic_tags:
        tags = {key: tag for key, tag in server.nic_tags.items() if key != port_id}
        records.change(tx, server, nic_tags=tags)


class Stray(msgspec.Struct, frozen=True):
    """A card that a server has on a host, of a port that is not the server's."""

    server_id: str
    host: str
    port_id: str


def strays(tx: Transaction, host: str, cards: Mapping[str, Sequence[str]], busy: Collection[str]) -> list[Stray]:
    """Of the ``cards`` that machines have on a host, those that their servers have no port for; ``busy`` ones are left alone."""
    rows = tx.all("SELECT id FROM servers WHERE host = ? AND deleted = 0", [host])
    here = [server_id for (server_id,) in rows if cards.get(server_id) and server_id not in busy]
    mine = {
        (port.device_id, port.id)
        for port in select_in(tx, Port, "device_id", here)
        if port.device_owner.startswith("compute:")
    }
    return [
        Stray(server_id, host, port_id)
        for server_id in here
        for port_id in cards[server_id]
        if (server_id, port_id) not in mine
    ]


def is_stray(tx: Transaction, card: Stray) -> bool:
    """Whether the server is on that host still, and the port not the server's."""
    server = servers.find(tx, card.server_id)
    port = records.find(tx, Port, card.port_id)
    return server is not None and server.host == card.host and (port is None or port.device_id != server.id)


def untag(tx: Transaction, card: Stray) -> None:
    """What the server called the card is forgotten, unless the card is the server's again."""
    server = servers.find(tx, card.server_id)
    if server is not None and is_stray(tx, card):
        _without_tag(tx, server, card.port_id)


def lose(tx: Transaction, server_id: str, port_id: str) -> None:
    """The server has no port of this id any more; one that is there after all is nobody's now."""
    port = records.find(tx, Port, port_id)
    if port is not None and port.device_id == server_id and port.device_owner.startswith("compute:"):
        ports.free(tx, port)


def _lent(tx: Transaction, context: Context, port_id: str, server: Server) -> Port:
    try:
        port = ports.get(tx, context, port_id)
    except NotFound as error:
        raise NotFound(f"Port id {port_id} could not be found.") from error
    if port.device_id:
        raise Conflict(f"Port {port_id} is still in use.", kind="PortInUse")
    return ports.adopt(tx, context, port_id, server.id, hostname=server.hostname)


def _made(tx: Transaction, context: Context, server: Server, network_id: str, address: str | None) -> Port:
    try:
        return ports.create_for_server(
            tx,
            context,
            network_id,
            server.id,
            security_groups=server.security_groups,
            fixed_ip=address,
            hostname=server.hostname,
        )
    except NotFound as error:
        raise NotFound(f"Network {network_id} could not be found.") from error
    except OverQuota as error:
        raise OverQuota("Maximum number of ports exceeded") from error
    except Conflict as error:
        if error.kind == "IpAddressGenerationFailure":
            raise Invalid(f"No fixed IP addresses available for network: {network_id}") from error
        if error.kind == "IpAddressAlreadyAllocated":
            raise Conflict(f"Fixed IP address {address} is already in use on instance {server.id}.") from error
        raise


def _only_network(tx: Transaction, context: Context) -> str:
    found = networks.available_to(tx, context)
    if not found:
        raise Invalid(f"No specific network was requested and none are available for project '{context.project_id}'.")
    if len(found) > 1:
        raise Invalid(
            "More than one possible network found. Specify network ID(s) to select which one(s) to connect to."
        )
    return found[0].id


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
