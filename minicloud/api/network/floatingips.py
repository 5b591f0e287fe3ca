"""/floatingips."""

from functools import partial
from typing import Any

from minicloud.api.call import Call, Reply
from minicloud.api.network import dns, guard, lists, values
from minicloud.api.network.attributes import REQUIRED, Attribute, Resource, Written
from minicloud.api.network.kinds import common, of_its_project
from minicloud.api.network.port_forwardings import view as forwarding_view
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base.errors import Invalid
from minicloud.core import records
from minicloud.core.network import floatingips, port_forwardings, qos_policies, standard
from minicloud.core.network.port_forwardings import PortForwarding
from minicloud.core.network.rows import FloatingIp, Port
from minicloud.core.records import Transaction

Found = tuple[FloatingIp, Port | None, list[PortForwarding], str | None]
"""A floating address, its port, what it forwards, and its network's policy of quality of service."""

FLOATING = Resource(
    "floatingip",
    "floatingips",
    [
        Attribute(
            "floating_network_id",
            values.uuid,
            REQUIRED,
            change=False,
            column="floating_network_id",
            filter="text",
            sort=True,
        ),
        Attribute(
            "floating_ip_address", values.or_none(values.ip), None, change=False, ruled=True, filter="text", sort=True
        ),
        Attribute("subnet_id", values.or_none(values.uuid), None, change=False),
        Attribute("port_id", values.or_none(values.uuid), None, filter="text"),
        Attribute("fixed_ip_address", values.or_none(values.ip), None, filter="text", sort=True),
        Attribute("dns_name", dns.floating_host, "", change=False, filter="text"),
        Attribute("dns_domain", dns.domain, "", change=False, filter="text"),
        Attribute("qos_policy_id", values.or_none(values.uuid), None),
        Attribute("qos_network_policy_id"),
        Attribute("router_id", filter="text", sort=True),
        Attribute("status", filter="text", sort=True),
        Attribute("port_details"),
        Attribute("port_forwardings"),
        Attribute("tags", values.tags, [], change=False, ruled=True),
    ],
)


async def index(call: Call) -> Any:
    """Floating addresses that exist for whoever asks."""
    wanted, sees = lists.read(call, FLOATING), guard.sight(call, "get_floatingip")

    def load(tx: Transaction) -> list[Found]:
        found = floatingips.page(tx, call.context, wanted.query)
        return _with_ports(
            tx, [one for one in found if sees(one.project_id, partial(of_its_project, tx, call.context, one))]
        )

    return await lists.answer(call, FLOATING, wanted, load, lambda row: view(*row))


async def show(call: Call, floatingip_id: str) -> Any:
    """One floating address."""

    def load(tx: Transaction) -> Found:
        return _with_ports(tx, [floatingips.get(tx, call.context, floatingip_id)])[0]

    found = await call.read(load)
    guard.permit_seeing(call, "get_floatingip", {"project_id": found[0].project_id})
    return {"floatingip": lists.pick(call, view(*found))}


async def create(call: Call, body: bytes) -> Any:
    """One floating address, or several at once."""
    wanted, bulk = FLOATING.read_new(call, body)
    for one in wanted:
        guard.permit(call, "create_floatingip", {"project_id": one.project_id}, _ruled(one))

    def work(tx: Transaction) -> list[Found]:
        made = []
        for one in wanted:
            given = dict(one.values)
            given["network_id"] = given.pop("floating_network_id")
            given["address"] = given.pop("floating_ip_address")
            qos_policies.check(tx, call.context, given["qos_policy_id"])
            made.append(floatingips.create(tx, call.context, project_id=one.project_id, **given))
        return _with_ports(tx, made)

    found = [view(*pair) for pair in await guard.write(call, work)]
    return {"floatingips": found} if bulk else {"floatingip": found[0]}


async def update(call: Call, floatingip_id: str, body: bytes) -> Any:
    """Lead a floating address elsewhere, or nowhere, or describe it."""
    wanted = FLOATING.read_change(body)
    revision = guard.revision(call)

    def work(tx: Transaction) -> Found:
        floating = floatingips.get(tx, call.context, floatingip_id)
        guard.permit(call, "update_floatingip", {"project_id": floating.project_id})
        standard.expect(floating, revision)
        changes = dict(wanted.values)
        if "qos_policy_id" in changes:
            qos_policies.check_change(tx, call.context, floating.qos_policy_id, changes["qos_policy_id"])
        # A document without anything in it takes the address from its port, as it did when there was nothing else to change.
        named = "port_id" in changes or not wanted.given
        port_id, fixed = changes.pop("port_id", None), changes.pop("fixed_ip_address", None)
        if changes:
            floating = standard.change(tx, floating, **changes)
        if port_id is not None:
            floating = floatingips.associate(tx, call.context, floating, port_id, fixed)
        elif fixed is not None:
            raise Invalid(
                "Bad floatingip request: fixed_ip_address cannot be specified without a port_id.", kind="BadRequest"
            )
        elif named:
            floating = floatingips.disassociate(tx, floating)
        return _with_ports(tx, [floating])[0]

    return {"floatingip": view(*await guard.write(call, work))}


async def delete(call: Call, floatingip_id: str) -> Any:
    """Give a floating address back."""
    revision = guard.revision(call)

    def work(tx: Transaction) -> None:
        floating = floatingips.get(tx, call.context, floatingip_id)
        guard.permit(call, "delete_floatingip", {"project_id": floating.project_id})
        standard.expect(floating, revision)
        floatingips.delete(tx, floating)

    await guard.write(call, work)
    return Reply()


def view(
    floating: FloatingIp, port: Port | None, forwardings: list[PortForwarding], network_qos: str | None
) -> dict[str, Any]:
    """A floating address as clients read it."""
    return common(floating) | {
        "floating_ip_address": floating.floating_ip_address,
        "floating_network_id": floating.floating_network_id,
        "router_id": floating.router_id,
        "port_id": floating.port_id,
        "fixed_ip_address": floating.fixed_ip_address,
        "status": floating.status,
        "dns_name": floating.dns_name,
        "dns_domain": floating.dns_domain,
        "qos_policy_id": floating.qos_policy_id,
        "qos_network_policy_id": network_qos,
        "port_forwardings": [_told(one) for one in forwardings],
        "port_details": None
        if port is None
        else {
            "name": port.name,
            "network_id": port.network_id,
            "mac_address": port.mac_address,
            "admin_state_up": port.admin_state_up,
            "status": port.status,
            "device_id": port.device_id,
            "device_owner": port.device_owner,
        },
    }


def _ruled(wanted: Written) -> list[str]:
    return sorted(name for name in wanted.named if FLOATING.attributes[name].ruled)


def _with_ports(tx: Transaction, found: list[FloatingIp]) -> list[Found]:
    ids = [floating.port_id for floating in found if floating.port_id is not None]
    ports = {port.id: port for port in records.select_in(tx, Port, "id", ids)} if ids else {}
    led = port_forwardings.of_floating(tx, [floating.id for floating in found])
    policies = qos_policies.of_networks(tx, sorted({floating.floating_network_id for floating in found}))
    return [
        (
            floating,
            ports.get(floating.port_id or ""),
            led.get(floating.id, []),
            policies.get(floating.floating_network_id),
        )
        for floating in found
    ]


def _told(one: PortForwarding) -> dict[str, Any]:
    names = ("id", "protocol", "internal_ip_address", "internal_port", "internal_port_id", "external_port")
    document = forwarding_view(one)
    return {name: document[name] for name in names if name in document}


_MEMBER = guard.ADMIN_OR_MEMBER

routes = [
    Get("/floatingips", index, policy=None),
    Post(
        "/floatingips",
        create,
        policy="create_floatingip",
        allow=_MEMBER,
        late=True,
        extra=[
            (
                "create_floatingip:floating_ip_address",
                f"({guard.ADMIN}) or (role:manager and project_id:%(project_id)s)",
            )
        ],
        status=201,
    ),
    Get("/floatingips/{floatingip_id}", show, policy="get_floatingip", allow=guard.ADMIN_OR_READER, late=True),
    Put("/floatingips/{floatingip_id}", update, policy="update_floatingip", allow=_MEMBER, late=True),
    Delete("/floatingips/{floatingip_id}", delete, policy="delete_floatingip", allow=_MEMBER, late=True),
]
