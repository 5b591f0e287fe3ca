"""Requests to network that nobody in their right mind would send, half sensible so that they get far: none is answered with 500.

``python -m tests.support.odd_network 20000 [seed]`` sends so many; the tests send a sample.
"""

import random
import sys
from collections import Counter
from typing import Any

import httpx
import trio

from minicloud.api import network
from minicloud.api.network.attributes import REQUIRED
from minicloud.api.routes import Route
from tests.support.network import MOUNT, a_network_service, a_way_out, made
from tests.support.odd_identity import ODD
from tests.support.scheduling import a_host

SENSIBLE: dict[str, tuple[Any, ...]] = {
    "name": ("one", "two"),
    "description": ("words", ""),
    "admin_state_up": (True, False),
    "shared": (True, False),
    "router:external": (True, False),
    "is_default": (True, False),
    "mtu": (1450, 1500, 0),
    "dns_domain": ("a.example.", ""),
    "dns_name": ("host", ""),
    "cidr": ("10.0.0.0/24", "10.3.0.0/30", "2001:db8::/64", "0.0.0.0/0", "10.0.0.1/32"),
    "ip_version": (4, 6),
    "gateway_ip": ("10.0.0.1", "10.0.0.254", None),
    "allocation_pools": ([], [{"start": "10.0.0.5", "end": "10.0.0.9"}], [{"start": "10.0.0.9", "end": "10.0.0.5"}]),
    "ipv6_ra_mode": ("slaac", "dhcpv6-stateful", None),
    "ipv6_address_mode": ("slaac", "dhcpv6-stateless", None),
    "enable_dhcp": (True, False),
    "host_routes": ([], [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.3"}]),
    "routes": ([], [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.3"}], [{"destination": "x"}]),
    "dns_nameservers": ([], ["1.1.1.1"], ["2001:db8::1"]),
    "service_types": ([], ["compute:nova"], ["x"]),
    "fixed_ips": ([], [{"ip_address": "10.0.0.7"}], [{"ip_address": "10.0.0.7"}, {"ip_address": "10.0.0.7"}]),
    "allowed_address_pairs": ([], [{"ip_address": "10.0.0.0/24"}], [{"mac_address": "fa:16:3e:00:00:01"}]),
    "extra_dhcp_opts": ([], [{"opt_name": "mtu", "opt_value": "9000"}], [{"opt_name": "mtu", "opt_value": None}]),
    "mac_address": ("fa:16:3e:00:00:01", None),
    "device_owner": ("", "compute:nova", "network:router_interface", "network:dhcp"),
    "device_id": ("", "x"),
    "binding:host_id": ("one", "", None),
    "binding:profile": ({}, {"a": 1}),
    "host": ("one", "two"),
    "direction": ("ingress", "egress", "any"),
    "ethertype": ("IPv4", "IPv6"),
    "protocol": ("tcp", "icmp", "47", None, "ipv6-icmp"),
    "port_range_min": (22, 0, None),
    "port_range_max": (80, 0, None),
    "remote_ip_prefix": ("10.0.0.0/8", "::/0", None),
    "prefixes": (["10.0.0.0/8"], ["10.1.0.0/16", "10.2.0.0/16"], []),
    "min_prefixlen": (8, 16),
    "max_prefixlen": (30, 32),
    "default_prefixlen": (24, 26),
    "prefixlen": (24, 30),
    "addresses": (["192.0.2.0/24"], []),
    "object_type": ("network", "qos_policy", "security_group", "address_scope", "subnetpool", "address_group"),
    "action": ("access_as_shared", "access_as_external"),
    "target_tenant": ("*", "b" * 32),
    "max_kbps": (100, 1000),
    "agent_type": ("DHCP agent", "L3 agent"),
    "min_kbps": (100, 2000),
    "dscp_mark": (26, 27),
    "max_kpps": (1,),
    "min_kpps": (1,),
    "external_port": (22, 80),
    "internal_port": (22, 80),
    "external_port_range": ("10:20", "1:70000"),
    "internal_port_range": ("10:20", "9:3"),
    "internal_ip_address": ("10.0.0.2", "10.0.0.7"),
    "network_type": ("vxlan", "vlan", "flat"),
    "physical_network": ("p", None),
    "segmentation_id": (1, 4095, None),
    "provider:network_type": ("vxlan", "vlan", "local"),
    "segmentation_type": ("vlan", "inherit"),
    "service_type": ("L3_ROUTER_NAT",),
    "metainfo": ("{}", {"a": 1}),
    "tags": ([], ["a", "b"]),
    "enable_snat": (True, False),
    "port": (10, 20),
}
KINDS = {
    "network_id": "networks",
    "subnet_id": "subnets",
    "port_id": "ports",
    "internal_port_id": "ports",
    "router_id": "routers",
    "security_group_id": "security-groups",
    "remote_group_id": "security-groups",
    "object_id": "networks",
    "qos_policy_id": "policies",
    "subnetpool_id": "subnetpools",
    "address_scope_id": "address-scopes",
    "segment_id": "segments",
    "floating_network_id": "networks",
    "remote_address_group_id": "address-groups",
    "metering_label_id": "metering-labels",
    "id": "service_profiles",
}
"""Attributes that name other things, and the last word of the path where those are."""
COLLECTIONS = (
    *(
        "networks",
        "subnets",
        "ports",
        "routers",
        "floatingips",
        "security-groups",
        "security-group-rules",
        "subnetpools",
    ),
    *("address-scopes", "address-groups", "rbac-policies", "trunks", "segments", "flavors", "service_profiles"),
    *("qos/policies", "metering/metering-labels", "metering/metering-label-rules", "default-security-group-rules"),
    "agents",
)


class Odd:
    """Makes requests out of one dice."""

    def __init__(self, dice: random.Random, ids: dict[str, list[str]]) -> None:
        self._dice = dice
        self._by_kind = ids
        self._ids = [one for several in ids.values() for one in several]

    def path(self, route: Route) -> str:
        """An address of the route, mostly of things that are there."""
        dice = self._dice
        parts: list[str] = []
        for part in route.path.split("/"):
            if not part.startswith("{"):
                parts.append(part)
            elif dice.random() < 0.85 and self._by_kind.get(parts[-1]):
                parts.append(dice.choice(self._by_kind[parts[-1]]))
            else:
                parts.append(dice.choice((*self._ids, "none", "one", "two", "ü", "bandwidth_limit")))
        names = (
            "name",
            "limit",
            "marker",
            "fields",
            "shared",
            "sort_key",
            "sort_dir",
            "tags",
            "fixed_ips",
            "network_id",
        )
        query = "&".join(
            f"{dice.choice((*names, 'page_reverse', 'changed_since', 'id'))}="
            f"{dice.choice(('', 'x', '-1', '1', '9' * 20, 'true', 'id', 'asc', *self._ids[:2]))}"
            for _ in range(dice.choice((0, 0, 1, 2)))
        )
        return f"{'/'.join(parts)}{'?' + query if query else ''}"

    def document(self, route: Route) -> Any:
        """A document for the route, mostly under the right name."""
        dice = self._dice
        if dice.random() < 0.05:
            return dice.choice(ODD)
        last = next((part for part in reversed(route.path.split("/")) if part and not part.startswith("{")), "")
        many = last.replace("-", "_")
        one = {"policies": "policy", "rbac_policies": "rbac_policy"}.get(many, many.removesuffix("s"))
        if last.startswith(("add_", "remove_", "onboard_")) or last in ("dhcp-networks", "l3-routers", "tags"):
            return self._fields() | {"sub_ports": dice.choice(([], [self._fields()], "x"))}
        if dice.random() < 0.1:
            return {many: [self._fields() for _ in range(dice.randint(0, 3))]}
        return {dice.choice((one, one, one, one, "nothing")): dice.choice((self._fields(), self._fields(), ODD[0]))}

    def _fields(self) -> dict[str, Any]:
        """A few attributes; so few that they are often all known to whatever is asked."""
        dice = self._dice
        keys = [*SENSIBLE, *KINDS, "external_gateway_info", "sub_ports"]
        chosen = dice.sample(keys, dice.choice((1, 2, 3, 5, 9)))
        return {key: dice.choice(ODD) if dice.random() < 0.1 else self._value(key) for key in chosen}

    def fitting(self, names: list[str], required: list[str]) -> Any:
        """A document of attributes that the resource has."""
        dice = self._dice
        chosen = dict.fromkeys([*required, *dice.sample(names, min(len(names), dice.choice((0, 1, 2, 3, 9))))])
        return {key: dice.choice(ODD) if dice.random() < 0.05 else self._value(key) for key in chosen}

    def _value(self, key: str) -> Any:
        dice = self._dice
        if key == "external_gateway_info":
            return dice.choice((None, {}, self._gateway()))
        if key == "sub_ports":
            return [{"port_id": dice.choice(self._ids), "segmentation_type": "vlan", "segmentation_id": 5}]
        if key in KINDS:
            return dice.choice(self._by_kind.get(KINDS[key]) or self._ids)
        return dice.choice(SENSIBLE.get(key, ODD))

    def _gateway(self) -> dict[str, Any]:
        made = {"network_id": self._dice.choice(self._ids), "enable_snat": True}
        return made if self._dice.random() < 0.7 else made | {"qos_policy_id": self._value("qos_policy_id")}


def _resources() -> dict[str, tuple[str, list[str], list[str]]]:
    """Every kind of resource by the path of its collection: its name, what may be written, and what a new one must name."""
    found: dict[str, tuple[str, list[str], list[str]]] = {}
    for module in vars(network).values():
        for kind in vars(module).values() if hasattr(module, "routes") else ():
            if hasattr(kind, "attributes") and hasattr(kind, "collection"):
                written = [one for one in kind.attributes.values() if one.read is not None]
                names = [one.name for one in written if one.name not in ("tenant_id", "project_id")]
                required = [one.name for one in written if one.default is REQUIRED]
                found[kind.collection] = (kind.name, names, required)
    return found


async def _furnish(http: httpx.AsyncClient) -> None:
    """Things to ask about."""
    networks = (await http.get("/networks")).json()["networks"]
    inside = next(one for one in networks if one["name"] == "inside")
    outside = next(one for one in networks if one["name"] == "outside")
    port = await made(http, "port", network_id=inside["id"])
    await made(http, "port", network_id=inside["id"], **{"binding:host_id": "one", "device_owner": "compute:nova"})
    await made(http, "floatingip", floating_network_id=outside["id"])
    await made(http, "security_group", name="g")
    await made(http, "trunk", port_id=port["id"])
    await made(http, "address_group", name="a")
    scope = await made(http, "address_scope", name="s", ip_version=4)
    await made(http, "subnetpool", name="p", prefixes=["10.8.0.0/16"], address_scope_id=scope["id"])
    policy = (await http.post("/qos/policies", json={"policy": {"name": "q"}})).json()["policy"]
    rule = {"bandwidth_limit_rule": {"max_kbps": 100}}
    await http.post(f"/qos/policies/{policy['id']}/bandwidth_limit_rules", json=rule)
    await http.post("/metering/metering-labels", json={"metering_label": {"name": "l"}})


async def _ids(http: httpx.AsyncClient) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"none": ["00000000-0000-4000-8000-000000000000"]}
    for path in COLLECTIONS:
        answer = await http.get(f"/{path}")
        if answer.status_code == 200:
            (items,) = answer.json().values()
            found[path.split("/")[-1]] = [item["id"] for item in items[-4:]]
    return found


async def send(seed: int, requests: int) -> Counter[int]:
    """Send so many requests, and count the answers by status. Raises AssertionError for the first that is a defect."""
    dice = random.Random(seed)
    resources = _resources()
    routes = [route for route in network.service().routes if not route.root]
    statuses: Counter[int] = Counter()
    for begin in range(0, requests, 1000):
        async with a_network_service() as door:
            await a_way_out(door)
            asking = [
                door.as_("root", project="admin", role="admin", mount=MOUNT),
                door.as_("ann", project="red", role="manager", mount=MOUNT),
                door.as_("nova", project="service", role="service", mount=MOUNT),
            ]
            await door.database.write(lambda tx: [a_host(tx, host) for host in ("one", "two")])
            await _furnish(asking[0])
            for number in range(begin, min(begin + 1000, requests)):
                if number % 25 == 0:
                    odd = Odd(dice, await _ids(asking[0]))
                route = dice.choice(routes)
                while route.method == "DELETE" and dice.random() < 0.8:
                    route = dice.choice(routes)
                path, body = odd.path(route), odd.document(route)
                known = resources.get(route.path.split("/")[-1 if route.method == "POST" else -2].replace("-", "_"))
                if known is not None and dice.random() < 0.7:
                    body = {known[0]: odd.fitting(known[1], known[2] if route.method == "POST" else [])}
                answer = await dice.choice((asking[0], asking[0], *asking)).request(route.method, path, json=body)
                statuses[answer.status_code] += 1
                assert answer.status_code < 500 or answer.status_code == 501, (
                    f"seed {seed}, request {number}: {route.method} {path} {body}: {answer.text}"
                )
                if answer.status_code >= 400:
                    assert set(answer.json()["NeutronError"]) == {"type", "message", "detail"}, answer.text
            assert not door.notes.facts("defect")
    return statuses


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    counted = trio.run(send, first, wanted)
    print(f"{wanted} requests, none answered with 500: {dict(sorted(counted.items()))}")
