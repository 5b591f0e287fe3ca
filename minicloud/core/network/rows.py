"""The rows of the network service: what is kept of each resource."""

from typing import Any, ClassVar

import msgspec

from minicloud.core.network.ipam import Pool
from minicloud.core.network.standard import Owned, Resource, Tagged

DEFAULT_MTU = 1450
SMALLEST_MTU = {4: 68, 6: 1280}
"""What a subnet of an IP version needs of its network."""
DHCP = "network:dhcp"
ROUTER_INTERFACE = "network:router_interface"
ROUTER_GATEWAY = "network:router_gateway"
FLOATING_IP = "network:floatingip"
ROUTER_OWNERS = (ROUTER_INTERFACE, ROUTER_GATEWAY)
AUTOMATIC = ("slaac", "dhcpv6-stateless")
"""IPv6 address modes in which a card makes its address out of its MAC."""


class Network(Tagged, kw_only=True):
    """A network. ``physical_network`` and ``segmentation_id`` are what ``network_type`` says they mean."""

    TABLE = "networks"
    MISSING: ClassVar[str] = "Network {id} could not be found."
    MISSING_KIND: ClassVar[str | None] = "NetworkNotFound"

    name: str = ""
    description: str = ""
    admin_state_up: bool = True
    status: str = "ACTIVE"
    shared: bool = False
    external: bool = False
    is_default: bool = False
    mtu: int = DEFAULT_MTU
    port_security_enabled: bool = True
    network_type: str = "vxlan"
    physical_network: str | None = None
    segmentation_id: int | None = None
    dns_domain: str = ""
    qos_policy_id: str | None = None
    availability_zone_hints: list[str] = []


class HostRoute(msgspec.Struct, frozen=True):
    """A route that DHCP hands out, or that a router has."""

    destination: str
    nexthop: str


class Subnet(Tagged, kw_only=True):
    """A subnet."""

    TABLE = "subnets"
    MISSING: ClassVar[str] = "Subnet {id} could not be found."
    MISSING_KIND: ClassVar[str | None] = "SubnetNotFound"

    network_id: str
    name: str = ""
    description: str = ""
    ip_version: int = 4
    cidr: str
    gateway_ip: str | None = None
    enable_dhcp: bool = True
    allocation_pools: list[Pool] = []
    dns_nameservers: list[str] = []
    host_routes: list[HostRoute] = []
    ipv6_ra_mode: str | None = None
    ipv6_address_mode: str | None = None
    subnetpool_id: str | None = None
    service_types: list[str] = []
    segment_id: str | None = None
    dns_publish_fixed_ip: bool = False

    @property
    def automatic(self) -> bool:
        """Whether cards make their own addresses here."""
        return self.ipv6_address_mode in AUTOMATIC


class SubnetPool(Tagged, kw_only=True):
    """Prefixes out of which subnets are given."""

    TABLE = "subnet_pools"
    MISSING: ClassVar[str] = "Subnet pool {id} could not be found."
    MISSING_KIND: ClassVar[str | None] = "SubnetPoolNotFound"

    name: str
    description: str = ""
    ip_version: int
    prefixes: list[str]
    min_prefixlen: int
    max_prefixlen: int
    default_prefixlen: int
    default_quota: int | None = None
    address_scope_id: str | None = None
    is_default: bool = False
    shared: bool = False


class AddressScope(Owned, kw_only=True):
    """An address scope: within it no address is twice."""

    TABLE = "address_scopes"
    MISSING: ClassVar[str] = "Address scope {id} could not be found."
    MISSING_KIND: ClassVar[str | None] = "AddressScopeNotFound"

    name: str = ""
    ip_version: int
    created_at: str


class QosPolicy(Tagged, kw_only=True):
    """A policy of quality of service; a project may have one that is its default."""

    TABLE = "qos_policies"
    MISSING: ClassVar[str] = "QoS policy {id} could not be found."
    MISSING_KIND: ClassVar[str | None] = "QosPolicyNotFound"

    name: str = ""
    description: str = ""
    is_default: bool = False


class AddressPair(msgspec.Struct, frozen=True):
    """A further source that a port may send from: an address or CIDR, with a MAC or the port's own."""

    ip_address: str
    mac_address: str | None = None


class DhcpOption(msgspec.Struct, frozen=True):
    """A further option that DHCP hands to a card."""

    opt_name: str
    opt_value: str
    ip_version: int = 4


class Port(Tagged, kw_only=True):
    """A port. ``host`` is where it is bound, '' when nowhere; ``hostname`` is what DHCP calls its card."""

    TABLE = "ports"
    MISSING: ClassVar[str] = "Port {id} could not be found."
    MISSING_KIND: ClassVar[str | None] = "PortNotFound"

    network_id: str
    name: str = ""
    description: str = ""
    admin_state_up: bool = True
    status: str = "DOWN"
    mac_address: str
    device_id: str = ""
    device_owner: str = ""
    device_index: int = 0
    host: str = ""
    vnic_type: str = "normal"
    profile: dict[str, Any] = {}
    port_security_enabled: bool = True
    allowed_address_pairs: list[AddressPair] = []
    hostname: str = ""
    made_for_server: bool = False
    dns_name: str = ""
    dns_domain: str = ""
    extra_dhcp_opts: list[DhcpOption] = []
    qos_policy_id: str | None = None
    propagate_uplink_status: bool = True
    data_plane_status: str | None = None
    numa_affinity_policy: str | None = None


class SecurityGroup(Tagged, kw_only=True):
    """A security group; each project has one that is its default."""

    TABLE = "security_groups"
    MISSING: ClassVar[str] = "Security group {id} does not exist"
    MISSING_KIND: ClassVar[str | None] = "SecurityGroupNotFound"

    name: str = ""
    description: str = ""
    stateful: bool = True
    is_default: bool = False


class SecurityGroupRule(Resource, kw_only=True):
    """A rule of a security group: what may pass."""

    TABLE = "security_group_rules"
    MISSING: ClassVar[str] = "Security group rule {id} does not exist"
    MISSING_KIND: ClassVar[str | None] = "SecurityGroupRuleNotFound"

    security_group_id: str
    description: str = ""
    direction: str
    ethertype: str = "IPv4"
    protocol: str | None = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    remote_address_group_id: str | None = None
    revision_number: int = 0


class AddressGroup(Resource, kw_only=True):
    """A list of addresses; ``addresses`` are CIDRs."""

    TABLE = "address_groups"
    MISSING: ClassVar[str] = "Address group {id} could not be found."
    MISSING_KIND: ClassVar[str | None] = "AddressGroupNotFound"

    name: str = ""
    description: str = ""
    addresses: list[str] = []


class Router(Tagged, kw_only=True):
    """A router; its interfaces are ports, its gateway is one, too."""

    TABLE = "routers"
    MISSING: ClassVar[str] = "Router {id} could not be found"
    MISSING_KIND: ClassVar[str | None] = "RouterNotFound"

    name: str = ""
    description: str = ""
    admin_state_up: bool = True
    status: str = "ACTIVE"
    gateway_port_id: str | None = None
    gateway_qos_policy_id: str | None = None
    enable_snat: bool = True
    routes: list[HostRoute] = []
    availability_zone_hints: list[str] = []


class FloatingIp(Tagged, kw_only=True):
    """A floating address; while it is associated, ``port_id``, ``fixed_ip_address`` and ``router_id`` say with what."""

    TABLE = "floating_ips"
    MISSING: ClassVar[str] = "Floating IP {id} could not be found"
    MISSING_KIND: ClassVar[str | None] = "FloatingIPNotFound"

    description: str = ""
    floating_network_id: str
    floating_ip_address: str
    floating_port_id: str
    port_id: str | None = None
    fixed_ip_address: str | None = None
    router_id: str | None = None
    dns_name: str = ""
    dns_domain: str = ""
    qos_policy_id: str | None = None
    status: str = "DOWN"
