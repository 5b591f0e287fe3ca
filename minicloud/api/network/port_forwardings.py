"""/floatingips/{id}/port_forwardings, and /floatingip_pools."""

import re
from typing import Any

from minicloud.api.call import Call
from minicloud.api.network import guard, lists, values
from minicloud.api.network.attributes import OMITTED, REQUIRED, Attribute, Resource
from minicloud.api.network.children import Child, five
from minicloud.api.routes import Get
from minicloud.base.errors import Invalid
from minicloud.core.context import Context
from minicloud.core.network import floatingips, networks, port_forwardings, subnets
from minicloud.core.network.port_forwardings import PortForwarding, Span
from minicloud.core.network.rows import FloatingIp
from minicloud.core.records import Condition, Query, Transaction

PROTOCOLS = ("dccp", "icmp", "ipv6-icmp", "sctp", "tcp", "udp")
LED = ("tcp", "udp")
"""Protocols of which hosts lead ports; upstream's API knows others, its data plane none but these."""
_NUMBER = values.number_in(1, 65535)


def _port(value: Any) -> Span | None:
    if value is None:
        return None
    number: int = _NUMBER(value)
    return number, number


def _range(value: Any) -> Span | None:
    if value is None:
        return None
    match = re.fullmatch(r"(\d{1,5})(?::(\d{1,5}))?", str(value)) if isinstance(value, (str, int)) else None
    if match is None or isinstance(value, bool):
        raise ValueError(f"Invalid port: {value}")
    first = int(match[1])
    last = int(match[2] or match[1])
    if not 1 <= first <= 65535 or not 1 <= last <= 65535:
        raise ValueError(f"Invalid port: {value}")
    if first > last:
        raise ValueError(f"First port in a port range must be lower than the second port: {value}")
    return first, last


def _protocol(value: Any) -> str:
    word = value.lower() if isinstance(value, str) else value
    found: str = values.one_of(*PROTOCOLS)(word)
    if found not in LED:
        raise ValueError(f"{found} is not in {list(LED)}")
    return found


FORWARDING = Resource(
    "port_forwarding",
    "port_forwardings",
    [
        Attribute("id", filter="text", sort=True),
        Attribute("project_id", values.project, OMITTED, change=False),
        Attribute("external_port", _port, filter="number", sort=True, column="external_first"),
        Attribute("external_port_range", _range, column="external_range"),
        Attribute("internal_port", _port, column="internal_first"),
        Attribute("internal_port_range", _range, column="internal_range"),
        Attribute("internal_ip_address", values.ip, filter="text"),
        Attribute("internal_port_id", values.uuid, REQUIRED, filter="text", sort=True),
        Attribute("protocol", _protocol, REQUIRED, filter="text", sort=True),
        Attribute("description", values.text(1024), "", filter="text"),
    ],
    has=[],
)


def view(one: PortForwarding) -> dict[str, Any]:
    """Ports that lead inside, as clients read them: a single one by its number, several as a range."""
    single_out, single_in = one.external_first == one.external_last, one.internal_first == one.internal_last
    found: dict[str, Any] = {
        "id": one.id,
        "internal_port_id": one.internal_port_id,
        "internal_ip_address": one.internal_ip_address,
        "protocol": one.protocol,
        "external_port_range": f"{one.external_first}:{one.external_last}",
        "internal_port_range": f"{one.internal_first}:{one.internal_last}",
        "description": one.description,
    }
    if single_out:
        found["external_port"] = one.external_first
    if single_in:
        found["internal_port"] = one.internal_first
    return found


class _Core:
    """What core offers, with the two ways of naming ports made one."""

    get = staticmethod(port_forwardings.get)
    page = staticmethod(port_forwardings.page)
    delete = staticmethod(port_forwardings.delete)

    @staticmethod
    def create(
        tx: Transaction, context: Context, floating: FloatingIp, *, project_id: str, **given: Any
    ) -> PortForwarding:
        """Lead ports inside. Raises Invalid where none are named, or in two ways."""
        external, internal = _span(given, "external"), _span(given, "internal")
        if external is None or internal is None:
            missing = "external_port" if external is None else "internal_port"
            raise _bad(f"Invalid value for {missing} or {missing}_range: one of them must be specified")
        return port_forwardings.create(tx, context, floating, external=external, internal=internal, **given)

    @staticmethod
    def change(
        tx: Transaction, context: Context, floating: FloatingIp, one: PortForwarding, **given: Any
    ) -> PortForwarding:
        """Lead them elsewhere."""
        external, internal = _span(given, "external"), _span(given, "internal")
        return port_forwardings.change(tx, context, floating, one, external=external, internal=internal, **given)


def _span(given: dict[str, Any], side: str) -> Span | None:
    port, several = given.pop(f"{side}_first", None), given.pop(f"{side}_range", None)
    if port is not None and several is not None and port != several:
        raise _bad(f"The fields {side}_port and {side}_port_range are mutually exclusive")
    found: Span | None = port or several
    return found


def _bad(text: str) -> Invalid:
    return Invalid(f"Bad port_forwarding request: {text}.", kind="BadRequest")


async def pools(call: Call) -> Any:
    """The subnets of external networks that floating addresses come out of."""

    call.judged = True
    if not call.allows("get_floatingip_pool", {"project_id": call.context.project_id}):
        return {"floatingip_pools": []}

    def load(tx: Transaction) -> list[dict[str, Any]]:
        outside = networks.page(tx, call.context, Query(where=[Condition("external", "=", True)]))
        found = subnets.page(
            tx, call.context, Query(where=[Condition("network_id", "in", [network.id for network in outside])])
        )
        by_id = {network.id: network for network in outside}
        return [
            {
                "subnet_id": subnet.id,
                "subnet_name": subnet.name,
                "tenant_id": call.context.project_id,
                "project_id": call.context.project_id,
                "network_id": subnet.network_id,
                "cidr": subnet.cidr,
            }
            for subnet in found
            if by_id[subnet.network_id] and subnet.ip_version == 4
        ]

    found = await call.read(load)
    for name, value in call.parameters:
        if name in ("subnet_id", "subnet_name", "tenant_id", "project_id", "network_id", "cidr"):
            found = [one for one in found if one[name] == value]
        elif name not in lists.NOT_FILTERS:
            raise Invalid(f"['{name}'] is invalid attribute for filtering", kind="HTTPBadRequest")
    return {"floatingip_pools": [lists.pick(call, one) for one in found]}


routes = [
    *five(
        Child(
            resource=FORWARDING,
            path="/floatingips",
            policy="floatingip_port_forwarding",
            parent=floatingips.get,
            core=_Core,
            view=view,
            read=guard.PARENT_READER,
            write=guard.PARENT_MEMBER,
        )
    ),
    # The API's reference has the one path, its server the other.
    *(
        Get(path, pools, policy="get_floatingip_pool", allow=guard.ADMIN_OR_READER, late=True)
        for path in ("/floatingip_pools", "/floatingip-pools")
    ),
]
