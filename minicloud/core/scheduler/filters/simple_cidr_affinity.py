"""SimpleCIDRAffinityFilter: hosts whose address is near the one that a hint names."""

import ipaddress

from minicloud.base.errors import Invalid
from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Verdict

_NOTHING = Verdict(True, "no address is to be near", for_all=True)


class SimpleCIDRAffinityFilter:
    """The hints ``build_near_host_ip`` and ``cidr`` (by default /24)."""

    name = "SimpleCIDRAffinityFilter"

    def passes(self, host: HostState, request: RequestSpec) -> Verdict:
        near = request.hints.get("build_near_host_ip")
        if not near:
            return _NOTHING
        text = f"{near}/{str(request.hints.get('cidr', '/24')).lstrip('/')}"
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError as error:
            raise Invalid(f"The hints build_near_host_ip and cidr name no network: {text}") from error
        inside = ipaddress.ip_address(host.described.host_ip) in network
        return Verdict(
            inside, f"has the address {host.described.host_ip}, {'in' if inside else 'outside of'} {network}"
        )
