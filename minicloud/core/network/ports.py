"""Ports: making, changing and deleting them, and what compute does with them: lend, bind, wire, release."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Conflict, Invalid
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.network import addressing, hostings, macs, networks, port_uses, quotas, security_groups, standard
from minicloud.core.network.addressing import FixedIp, FixedIpWish
from minicloud.core.network.rows import DHCP, FLOATING_IP, ROUTER_GATEWAY, ROUTER_INTERFACE, Network, Port, Subnet
from minicloud.core.network.security_groups import resolve
from minicloud.core.network.server_addresses import ServerAddress as ServerAddress
from minicloud.core.network.server_addresses import addresses_of as addresses_of
from minicloud.core.network.server_addresses import of_servers as of_servers
from minicloud.core.network.server_addresses import servers_at as servers_at
from minicloud.core.records import AnyOf, Condition
from minicloud.engines.database import Transaction

TRUSTED_OWNERS = ("network:",)
SERVICE = "service"
"""The role of services, which act for others."""


class PortDetails(msgspec.Struct, frozen=True):
    """A port with what hangs on it."""

    port: Port
    fixed_ips: list[FixedIp]
    security_groups: list[str]


def visible(tx: Transaction, context: Context) -> list[Condition | AnyOf]:
    """The condition under which a port exists for whoever asks: own, or on an own network; services see all."""
    if context.is_admin or SERVICE in context.roles:
        return []
    project_id = context.project_id or ""
    mine = [row[0] for row in tx.all("SELECT id FROM networks WHERE project_id = ?", [project_id])]
    return [AnyOf([Condition("project_id", "=", project_id), Condition("network_id", "in", mine)])]


def get(tx: Transaction, context: Context, port_id: str) -> Port:
    """A port that exists for whoever asks. Raises NotFound."""
    port = records.find(tx, Port, port_id)
    if port is None or not (
        context.sees(port.project_id) or SERVICE in context.roles or _owns_network(tx, context, port.network_id)
    ):
        raise Port.missing(port_id)
    return port


def page(tx: Transaction, context: Context, query: records.Query) -> list[Port]:
    """A page of the ports that exist for whoever asks."""
    return records.page(tx, Port, msgspec.structs.replace(query, where=[*query.where, *visible(tx, context)]))


def details(tx: Transaction, ports: Sequence[Port]) -> list[PortDetails]:
    """Ports with their addresses and groups: two queries for any number."""
    ids = [port.id for port in ports]
    fixed, groups = addressing.held_by(tx, ids), security_groups.of_ports(tx, ids)
    return [PortDetails(port, fixed.get(port.id, []), groups.get(port.id, [])) for port in ports]


def create(
    tx: Transaction,
    network: Network,
    *,
    project_id: str,
    mac_address: str | None = None,
    fixed_ips: Sequence[FixedIpWish] | None = None,
    groups: Sequence[str] | None = None,
    port_security_enabled: bool | None = None,
    subnets: Sequence[Subnet] | None = None,
    quota: bool = True,
    **values: Any,
) -> PortDetails:
    """A new port; ``values`` are the record's other fields. ``groups`` None means the project's default group.

    Raises OverQuota, Conflict (``MacAddressInUse``, ``IpAddressGenerationFailure``, ``IpAddressAlreadyAllocated``), Invalid.
    """
    if quota:
        quotas.check(tx, project_id, "port")
    owner: str = values.get("device_owner", "")
    secured = network.port_security_enabled if port_security_enabled is None else port_security_enabled
    if owner.startswith(TRUSTED_OWNERS):
        secured, groups = False, groups or []
    if not secured and groups:
        raise _insecure()
    if not secured and values.get("allowed_address_pairs"):
        raise _unpaired()
    port = records.insert(
        tx,
        Port(
            id=tx.ids.uuid(),
            project_id=project_id,
            network_id=network.id,
            mac_address=macs.choose(tx, network.id, mac_address),
            port_security_enabled=secured,
            created_at=tx.now,
            updated_at=tx.now,
            **values,
        ),
    )
    taken = addressing.assign(
        tx,
        port_id=port.id,
        network_id=network.id,
        mac=port.mac_address,
        device_owner=owner,
        wishes=fixed_ips,
        subnets=subnets,
    )
    if groups is None:
        groups = [security_groups.ensure_default(tx, project_id)] if secured else []
    _give_groups(tx, port.id, groups)
    if owner != DHCP:
        hostings.reschedule(tx, hostings.DHCP, network.id)
    trace.note("port_created", port=port.id, network=network.id, addresses=[fixed.ip_address for fixed in taken])
    return PortDetails(port, taken, list(groups))


def change(
    tx: Transaction,
    port: Port,
    *,
    fixed_ips: Sequence[FixedIpWish] | None = None,
    groups: Sequence[str] | None = None,
    **values: Any,
) -> PortDetails:
    """Change a port. ``fixed_ips`` replaces its addresses, keeping those that stay. Raises what ``create`` does."""
    mac = values.get("mac_address")
    if mac is not None and mac != port.mac_address:
        if port.host:
            raise Conflict(
                f"Unable to complete operation on port {port.id}, port is already bound, port type: bridge, "
                f"old_mac {port.mac_address}, new_mac {mac}.",
                kind="PortBound",
            )
        macs.refuse_taken(tx, port.network_id, mac)
    held = addressing.held_by(tx, [port.id]).get(port.id, [])
    has = security_groups.of_ports(tx, [port.id]).get(port.id, [])
    secured = values.get("port_security_enabled", port.port_security_enabled)
    if not secured and (groups if groups is not None else has):
        raise _insecure()
    if not secured and values.get("allowed_address_pairs", port.allowed_address_pairs):
        raise _unpaired()
    moved = False
    if fixed_ips is not None:
        held, moved = addressing.reassign(tx, port, held, fixed_ips)
        port_uses.lead_no_more(tx, port.id, kept=[fixed.ip_address for fixed in held])
    if groups is not None and sorted(groups) != sorted(has):
        tx.execute("DELETE FROM port_security_groups WHERE port_id = ?", [port.id])
        _give_groups(tx, port.id, groups)
        has, moved = list(groups), True
    if values.get("host", port.host) != port.host:
        values.setdefault("status", "DOWN")
    changed = standard.touch(tx, port, **values) if moved else standard.change(tx, port, **values)
    return PortDetails(changed, held, has)


def remove(tx: Transaction, port: Port) -> None:
    """Delete a port, giving its addresses back; a floating address that led to it is let go of."""
    addressing.release(tx, addressing.held_by(tx, [port.id]).get(port.id, []))
    port_uses.lead_no_more(tx, port.id)
    tx.execute(
        "UPDATE floating_ips SET port_id = NULL, fixed_ip_address = NULL, router_id = NULL, status = 'DOWN', "
        "revision_number = revision_number + 1, updated_at = ? WHERE port_id = ?",
        [tx.now, port.id],
    )
    records.remove(tx, port)
    trace.note("port_deleted", port=port.id)


def delete(tx: Transaction, port: Port) -> None:
    """Delete a port at a user's wish. Raises Conflict (``ServicePortInUse``) for the ports of routers and floating addresses."""
    if port.device_owner in (ROUTER_INTERFACE, ROUTER_GATEWAY, FLOATING_IP):
        raise Conflict(
            f"Port {port.id} cannot be deleted directly via the port API: has device owner {port.device_owner}.",
            kind="ServicePortInUse",
        )
    port_uses.refuse_deletion(tx, port.id)
    remove(tx, port)


def create_for_server(
    tx: Transaction,
    context: Context,
    network_id: str,
    server_id: str,
    *,
    security_groups: Iterable[str],
    fixed_ip: str | None = None,
    hostname: str = "",
    zone: str = "nova",
) -> Port:
    """A port for a server on a network that exists for its project; ``security_groups`` are names or ids, none the default.

    Raises NotFound (network, group), Conflict (no address, several groups of a name), OverQuota, Invalid.
    """
    network = networks.get(tx, context, network_id)
    project_id = context.require_project()
    ids = resolve(tx, project_id, security_groups) if network.port_security_enabled else []
    return create(
        tx,
        network,
        project_id=project_id,
        fixed_ips=None if fixed_ip is None else [FixedIpWish(ip_address=fixed_ip)],
        groups=ids or None,
        device_id=server_id,
        device_owner=f"compute:{zone}",
        device_index=_next_index(tx, server_id),
        hostname=hostname,
        made_for_server=True,
    ).port


def adopt(
    tx: Transaction, context: Context, port_id: str, server_id: str, *, hostname: str = "", zone: str = "nova"
) -> Port:
    """Lend a user's own port to a server. Raises NotFound, Conflict (``PortInUse``), Invalid (no address)."""
    port = get(tx, context, port_id)
    if port.device_id == server_id:
        return port
    if port.device_id:
        raise Conflict(f"Port {port_id} is still in use.", kind="PortInUse", device=port.device_id)
    if not addressing.held_by(tx, [port_id]) and addressing.subnets_of(tx, port.network_id):
        raise Invalid(f"Port {port_id} requires a FixedIP in order to be used.", kind="PortRequiresFixedIP")
    return standard.touch(
        tx,
        port,
        device_id=server_id,
        device_owner=f"compute:{zone}",
        device_index=_next_index(tx, server_id),
        hostname=hostname,
    )


def bind(tx: Transaction, port_id: str, host: str) -> Port:
    """The port's server is to run on this host: its wires are laid there, and those of a trunk's ports below it."""
    port = records.get(tx, Port, port_id)
    for below in _below(tx, port_id):
        if below.host != host:
            standard.touch(tx, below, host=host, status="DOWN")
    if port.host == host:
        return port
    trace.note("port_bound", port=port.id, host=host, device=port.device_id)
    return standard.touch(tx, port, host=host, status="DOWN")


def unbind(tx: Transaction, port_id: str) -> None:
    """The port is laid nowhere any more."""
    port = records.find(tx, Port, port_id)
    for one in [*_below(tx, port_id), *([] if port is None else [port])]:
        if one.host or one.status != "DOWN":
            standard.touch(tx, one, host="", status="DOWN")


def activate(tx: Transaction, port_id: str) -> None:
    """The port is wired and its guest runs."""
    port = records.find(tx, Port, port_id)
    for one in [*_below(tx, port_id), *([] if port is None else [port])]:
        if one.status != "ACTIVE":
            trace.note("port_active", port=one.id, host=one.host)
            standard.change(tx, one, status="ACTIVE")


def _below(tx: Transaction, port_id: str) -> list[Port]:
    """The ports that a trunk on this port carries."""
    return records.select(
        tx,
        Port,
        "id IN (SELECT s.port_id FROM trunk_subports s JOIN trunks t ON t.id = s.trunk_id WHERE t.port_id = ?)",
        [port_id],
    )


def of_server(tx: Transaction, server_id: str) -> list[Port]:
    """The ports of a server, in the order in which it got them."""
    return records.select(
        tx, Port, "device_id = ? AND device_owner LIKE 'compute:%' ORDER BY device_index, id", [server_id]
    )


def release(tx: Transaction, port: Port) -> None:
    """Delete a port that was made for its server; a user's own is unbound and free again."""
    if port.made_for_server:
        remove(tx, port)
    else:
        free(tx, port)


def free(tx: Transaction, port: Port) -> None:
    """Unbind a port, which is nobody's any more and stays."""
    trace.note("port_freed", port=port.id, device=port.device_id)
    standard.touch(tx, port, device_id="", device_owner="", host="", status="DOWN", hostname="", made_for_server=False)


def release_of_server(tx: Transaction, server_id: str) -> None:
    """Every port of a server is let go."""
    for port in of_server(tx, server_id):
        release(tx, port)


def _next_index(tx: Transaction, server_id: str) -> int:
    row = tx.one("SELECT max(device_index) FROM ports WHERE device_id = ?", [server_id])
    return 0 if row is None or row[0] is None else int(row[0]) + 1


def _owns_network(tx: Transaction, context: Context, network_id: str) -> bool:
    return (
        tx.one("SELECT 1 FROM networks WHERE id = ? AND project_id = ?", [network_id, context.project_id]) is not None
    )


def _give_groups(tx: Transaction, port_id: str, groups: Sequence[str]) -> None:
    for group_id in groups:
        tx.execute("INSERT INTO port_security_groups (port_id, security_group_id) VALUES (?, ?)", [port_id, group_id])


def _unpaired() -> Conflict:
    return Conflict(
        "Port Security must be enabled in order to have allowed address pairs on a port.",
        kind="AddressPairAndPortSecurityRequired",
    )


def _insecure() -> Conflict:
    return Conflict(
        "Port has security group associated. Cannot disable port security or IP address until security group is removed.",
        kind="PortSecurityPortHasSecurityGroup",
    )
