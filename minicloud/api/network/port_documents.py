"""Ports as clients read them, and as policies look at them."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from minicloud.api.call import Call
from minicloud.api.network import dns, guard
from minicloud.api.network.kinds import common
from minicloud.api.network.trunks import subport_view
from minicloud.core.context import Context
from minicloud.core.network import ports, qos_policies, rbac, trunks
from minicloud.core.network.ports import PortDetails
from minicloud.core.network.rows import Network, Port
from minicloud.core.network.trunks import Trunk
from minicloud.core.records import Transaction

HIDDEN = {f"binding:{name}": f"get_port:binding:{name}" for name in ("vif_type", "vif_details", "host_id", "profile")}
"""Attributes that only some may read, and the policies that say who."""


class SeenPort(msgspec.Struct, frozen=True):
    """A port with what is told of it: its addresses and groups, and its network's policy of quality of service."""

    details: PortDetails
    network_qos: str | None
    trunk: dict[str, Any] | None


def target(tx: Transaction, context: Context, port: Port, network: Network) -> dict[str, Any]:
    """What policies look at."""
    return {
        "project_id": port.project_id,
        "tenant_id": port.project_id,
        "device_owner": port.device_owner,
        "network_id": network.id,
        "network:project_id": network.project_id,
        "shared": network.shared or rbac.is_shared(tx, context, network.id),
    }


def seen(tx: Transaction, found: Sequence[Port]) -> list[SeenPort]:
    """Ports with what is told of them: a few queries for any number."""
    policies = qos_policies.of_networks(tx, sorted({port.network_id for port in found}))
    carriers = trunks.of_ports(tx, [port.id for port in found])
    return [
        SeenPort(one, policies.get(one.port.network_id), _trunk(tx, carriers.get(one.port.id)))
        for one in ports.details(tx, found)
    ]


def _trunk(tx: Transaction, trunk: Trunk | None) -> dict[str, Any] | None:
    if trunk is None:
        return None
    carried = trunks.subports_of(tx, [trunk.id])[trunk.id]
    macs = trunks.macs_of(tx, [one.port_id for one in carried])
    return {
        "trunk_id": trunk.id,
        "sub_ports": [{**subport_view(one), "mac_address": macs[one.port_id]} for one in carried],
    }


def seeing(call: Call) -> Callable[[SeenPort], dict[str, Any]]:
    """How whoever asks sees ports."""
    known: dict[str, list[str]] = {}

    def view(found: SeenPort) -> dict[str, Any]:
        port, fixed_ips = found.details.port, found.details.fixed_ips
        document = common(port) | {
            "name": port.name,
            "network_id": port.network_id,
            "mac_address": port.mac_address,
            "admin_state_up": port.admin_state_up,
            "status": port.status,
            "device_id": port.device_id,
            "device_owner": port.device_owner,
            "fixed_ips": fixed_ips,
            "allowed_address_pairs": [
                {"ip_address": pair.ip_address, "mac_address": pair.mac_address or port.mac_address}
                for pair in port.allowed_address_pairs
            ],
            "extra_dhcp_opts": port.extra_dhcp_opts,
            "security_groups": found.details.security_groups,
            "binding:vnic_type": port.vnic_type,
            "binding:profile": port.profile,
            "binding:host_id": port.host,
            "binding:vif_type": "bridge" if port.host else "unbound",
            "binding:vif_details": {"connectivity": "l2", "port_filter": True} if port.host else {},
            "port_security_enabled": port.port_security_enabled,
            "qos_policy_id": port.qos_policy_id,
            "qos_network_policy_id": found.network_qos,
            "dns_name": port.dns_name or port.hostname,
            "dns_domain": port.dns_domain,
            "dns_assignment": dns.assignment(port, fixed_ips),
            "ip_allocation": "immediate" if fixed_ips else "none",
            "propagate_uplink_status": port.propagate_uplink_status,
            "data_plane_status": port.data_plane_status,
            "numa_affinity_policy": port.numa_affinity_policy,
        }
        if found.trunk is not None:
            document["trunk_details"] = found.trunk
        if port.project_id not in known:
            known[port.project_id] = guard.hidden(call, HIDDEN, {"project_id": port.project_id})
        for name in known[port.project_id]:
            del document[name]
        return document

    return view
