"""/ports."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from minicloud.api.call import Call, Reply
from minicloud.api.network import dns, guard, lists, values
from minicloud.api.network.attributes import REQUIRED, Attribute, Resource, Written
from minicloud.api.network.port_documents import HIDDEN, SeenPort, seeing, seen, target
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base.errors import Conflict, Invalid
from minicloud.core import records
from minicloud.core.network import (
    dhcp_options,
    hostings,
    macs,
    networks,
    port_filters,
    ports,
    qos_policies,
    qos_rules,
    rbac,
    security_groups,
    standard,
)
from minicloud.core.network.rows import Network, Port
from minicloud.core.records import Transaction

CARDS = "cards"
"""The reconciler that takes the card of a deleted port out of its guest."""

VNIC_TYPES = (
    "normal",
    "direct",
    "macvtap",
    "baremetal",
    "direct-physical",
    "virtio-forwarder",
    "smart-nic",
    "vdpa",
    "accelerator-direct",
    "accelerator-direct-physical",
    "remote-managed",
)

PORT = Resource(
    "port",
    "ports",
    [
        Attribute("name", values.name, "", filter="text", sort=True),
        Attribute("network_id", values.uuid, REQUIRED, change=False, filter="text", sort=True),
        Attribute("admin_state_up", values.boolean, True, filter="flag", sort=True),
        Attribute("mac_address", values.or_none(values.mac), ruled=True, filter="text", sort=True),
        Attribute("fixed_ips", values.fixed_ips, ruled=True, filter="special"),
        Attribute("device_id", values.text(255), "", ruled=True, filter="text", sort=True),
        Attribute("device_owner", values.text(255), "", ruled=True, filter="text", sort=True),
        Attribute("status", filter="text", sort=True),
        Attribute("security_groups", values.uuids, column="groups", filter="special"),
        Attribute("allowed_address_pairs", values.address_pairs, [], ruled=True),
        Attribute("port_security_enabled", values.boolean, ruled=True, filter="flag"),
        Attribute("dns_name", dns.host, "", filter="text"),
        Attribute("dns_domain", dns.domain, "", filter="text"),
        Attribute("dns_assignment"),
        Attribute("extra_dhcp_opts", values.dhcp_options),
        Attribute("qos_policy_id", values.or_none(values.uuid), None, filter="text"),
        Attribute("qos_network_policy_id"),
        Attribute("propagate_uplink_status", values.boolean, True),
        Attribute("data_plane_status", values.one_of(None, "ACTIVE", "DOWN"), new=False, ruled=True),
        Attribute("numa_affinity_policy", values.one_of("required", "preferred", "legacy", "socket", None), None),
        Attribute("ip_allocation"),
        Attribute("trunk_details"),
        Attribute("binding:host_id", values.or_none(values.text(255)), ruled=True, column="host", filter="text"),
        Attribute("binding:vnic_type", values.one_of(*VNIC_TYPES), "normal", ruled=True, column="vnic_type"),
        Attribute("binding:profile", values.dictionary, ruled=True, column="profile"),
        Attribute("binding:vif_type"),
        Attribute("binding:vif_details"),
        Attribute("tags", values.tags, [], change=False, ruled=True),
    ],
)


async def index(call: Call) -> Any:
    """Ports that exist for whoever asks."""
    wanted = lists.read(call, PORT)
    look, sees = seeing(call), guard.sight(call, "get_port")

    def load(tx: Transaction) -> list[SeenPort]:
        wanted.query.where += port_filters.conditions(
            tx,
            fixed_ips=wanted.special.get("fixed_ips", []),
            groups=wanted.special.get("security_groups", []),
        )
        found = ports.page(tx, call.context, wanted.query)
        over = {n.id: n for n in records.select_in(tx, Network, "id", sorted({port.network_id for port in found}))}
        return seen(
            tx,
            [
                port
                for port in found
                if sees(
                    (port.project_id, port.network_id, port.device_owner),
                    partial(target, tx, call.context, port, over[port.network_id]),
                )
            ],
        )

    return await lists.answer(call, PORT, wanted, load, look)


async def show(call: Call, port_id: str) -> Any:
    """One port."""

    def load(tx: Transaction) -> SeenPort:
        port, network = _get(tx, call, port_id)
        guard.permit_seeing(call, "get_port", target(tx, call.context, port, network))
        return seen(tx, [port])[0]

    return {"port": lists.pick(call, seeing(call)(await call.read(load)))}


async def create(call: Call, body: bytes) -> Any:
    """One port, or several at once."""
    wanted, bulk = PORT.read_new(call, body)

    def work(tx: Transaction) -> tuple[list[SeenPort], bool]:
        networks = {str(one.values["network_id"]) for one in wanted}
        unserved = any(hostings.taken(tx, hostings.DHCP, network_id) for network_id in networks)
        return seen(tx, [_create(tx, call, one) for one in wanted]), unserved

    look = seeing(call)
    found, unserved = await call.write(work)
    if unserved:
        # A new port is nothing to hosts before it is bound; but it brings its network back to an agent.
        call.means.poke(guard.NETWORK_CHANGES)
    made = [look(port) for port in found]
    return {"ports": made} if bulk else {"port": made[0]}


async def update(call: Call, port_id: str, body: bytes) -> Any:
    """Change a port."""
    wanted = PORT.read_change(body)
    revision = guard.revision(call)

    def work(tx: Transaction) -> SeenPort:
        port, network = _get(tx, call, port_id)
        asked = target(tx, call.context, port, network) | {
            name: wanted.given[name] for name in ("device_owner",) if name in wanted.given
        }
        guard.permit(call, "update_port", asked, _ruled(wanted))
        standard.expect(port, revision)
        changes = _values(wanted)
        if changes.get("groups"):
            changes["groups"] = security_groups.check_exist(tx, call.context, changes["groups"])
        if "mac_address" in changes and changes["mac_address"] is None:
            changes["mac_address"] = macs.choose(tx, network.id, None)
        if "qos_policy_id" in changes:
            qos_policies.check_change(tx, call.context, port.qos_policy_id, changes["qos_policy_id"])
            qos_rules.refuse_unsupported(tx, changes["qos_policy_id"], what="port", object_id=port.id)
        if "extra_dhcp_opts" in changes:
            changes["extra_dhcp_opts"] = dhcp_options.merged(port.extra_dhcp_opts, changes["extra_dhcp_opts"])
        return seen(tx, [ports.change(tx, port, **changes).port])[0]

    return {"port": seeing(call)(await guard.write(call, work))}


async def delete(call: Call, port_id: str) -> Any:
    """Delete a port."""
    revision = guard.revision(call)

    def work(tx: Transaction) -> Port:
        port, network = _get(tx, call, port_id)
        guard.permit(call, "delete_port", target(tx, call.context, port, network))
        standard.expect(port, revision)
        ports.delete(tx, port)
        return port

    if (await guard.write(call, work)).device_owner.startswith("compute:"):
        call.means.poke(CARDS)
    return Reply()


def _get(tx: Transaction, call: Call, port_id: str) -> tuple[Port, Network]:
    port = ports.get(tx, call.context, port_id)
    return port, records.get(tx, Network, port.network_id)


def _create(tx: Transaction, call: Call, wanted: Written) -> Port:
    given = _values(wanted)
    network = networks.get(tx, call.context, given.pop("network_id"))
    asked = {
        "project_id": wanted.project_id,
        "tenant_id": wanted.project_id,
        "device_owner": given["device_owner"],
        "network_id": network.id,
        "network:project_id": network.project_id,
        "shared": network.shared or rbac.is_shared(tx, call.context, network.id),
    }
    if not call.context.is_admin and not asked["shared"] and network.project_id != wanted.project_id:
        raise Network.missing(network.id)
    guard.permit(call, "create_port", asked, _ruled(wanted))
    if given.get("groups"):
        given["groups"] = security_groups.check_exist(tx, call.context, given["groups"])
    if given["device_id"] and given["device_owner"].startswith("network:router_"):
        raise Conflict(
            f"The following device_id {given['device_id']} is not owned by your project or matches another project router.",
            kind="DeviceIDNotOwnedByProject",
        )
    qos_policies.check(tx, call.context, given["qos_policy_id"])
    qos_rules.refuse_unsupported(tx, given["qos_policy_id"], what="port", object_id="")
    if "extra_dhcp_opts" in given:
        given["extra_dhcp_opts"] = dhcp_options.merged([], given["extra_dhcp_opts"])
    return ports.create(tx, network, project_id=wanted.project_id, **given).port


def _values(wanted: Written) -> dict[str, Any]:
    given = dict(wanted.values)
    if "host" in given:
        given["host"] = given["host"] or ""
    if len(given.get("fixed_ips") or []) > 5:
        raise Invalid("Exceeded maximum amount of fixed ips per port.", kind="InvalidInput")
    return given


def _ruled(wanted: Written) -> list[str]:
    """The rules that the named attributes ask for, down to what stands in a fixed address or an address pair."""
    found: list[str] = []
    for name in sorted(wanted.named):
        if not PORT.attributes[name].ruled:
            continue
        found.append(name)
        if name in ("fixed_ips", "allowed_address_pairs"):
            items: list[Mapping[str, Any]] = wanted.given[name] or []
            inner = {f"{name}:{key}" for item in items for key in item}
            found += sorted(inner)
    return found


def _rules(verb: str, mac: str) -> list[tuple[str, str]]:
    plane = [("update_port:data_plane_status", f"{guard.ADMIN} or role:data_plane_integrator")]
    own = f"{guard.ADMIN_OR_MEMBER} or {guard.SERVICE}"
    pairs = f"({guard.ADMIN}) or ({guard.NET_MEMBER}) or {guard.SERVICE}"
    fixed = guard.OWNER_OR_SHARED if verb == "create_port" else guard.OWNER_OF_NET
    return (plane if verb == "update_port" else []) + [
        (f"{verb}:device_id", own),
        (f"{verb}:device_owner", f"not rule:network_device or {guard.OWNER_OF_NET}"),
        (f"{verb}:mac_address", mac),
        (f"{verb}:fixed_ips", fixed),
        (f"{verb}:fixed_ips:ip_address", guard.OWNER_OF_NET),
        (f"{verb}:fixed_ips:subnet_id", guard.OWNER_OR_SHARED),
        (f"{verb}:port_security_enabled", guard.OWNER_OF_NET),
        (f"{verb}:binding:host_id", guard.ADMIN_OR_SERVICE),
        (f"{verb}:binding:profile", guard.SERVICE),
        (f"{verb}:binding:vnic_type", own),
        (f"{verb}:allowed_address_pairs", pairs),
        (f"{verb}:allowed_address_pairs:mac_address", pairs),
        (f"{verb}:allowed_address_pairs:ip_address", pairs),
    ]


_GET = f"{guard.ADMIN_OR_SERVICE} or {guard.NET_READER} or {guard.READER}"
_OWN = f"({guard.NET_MEMBER} or {guard.MEMBER})"
_DELETE = (
    f"{guard.ADMIN_OR_SERVICE} or (service_roles:service and {_OWN}) or "
    f"(not rule:compute_device and not rule:baremetal_device and not rule:manila_device and {_OWN})"
)

routes = [
    Get("/ports", index, policy=None, extra=[(rule, guard.ADMIN_OR_SERVICE) for rule in HIDDEN.values()]),
    Post(
        "/ports",
        create,
        policy="create_port",
        allow=guard.OWNER_OR_SHARED,
        late=True,
        extra=_rules("create_port", guard.OWNER_OF_NET),
        status=201,
    ),
    Get("/ports/{port_id}", show, policy="get_port", allow=_GET, late=True),
    Put(
        "/ports/{port_id}",
        update,
        policy="update_port",
        allow=f"{guard.ADMIN_OR_SERVICE} or {guard.MEMBER}",
        late=True,
        extra=_rules("update_port", f"{guard.ADMIN_OR_SERVICE} or role:manager and rule:network_owner"),
    ),
    Delete("/ports/{port_id}", delete, policy="delete_port", allow=_DELETE, late=True),
]
