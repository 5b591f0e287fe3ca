"""The Network API (Neutron v2.0): a file per resource, listed here."""

from minicloud.api.network import (
    address_groups,
    address_scopes,
    agents,
    auto_topologies,
    availability_zones,
    default_rules,
    extensions,
    flavors,
    floatingips,
    ip_availability,
    metering,
    networks,
    port_bindings,
    port_forwardings,
    ports,
    qos_policies,
    qos_rules,
    quotas,
    rbac_policies,
    routers,
    schedulers,
    security_group_rules,
    security_groups,
    segments,
    subnet_pools,
    subnets,
    tags,
    trunks,
    versions,
)
from minicloud.api.service import Endpoint, Service
from minicloud.core.policy import OF_PROJECTS

MOUNT = "/network"
ENDPOINT = Endpoint(service_type="network", service_name="neutron", path=MOUNT)


def service() -> Service:
    """The service as the door mounts it."""
    return Service(
        name="network",
        dialect="network",
        scopes=OF_PROJECTS,
        mounts=(MOUNT,),
        prefix="/v2.0",
        routes=[
            *versions.routes,
            *extensions.routes,
            *networks.routes,
            *subnets.routes,
            *subnet_pools.routes,
            *ports.routes,
            *security_groups.routes,
            *security_group_rules.routes,
            *routers.routes,
            *floatingips.routes,
            *quotas.routes,
            *availability_zones.routes,
            *agents.routes,
            *ip_availability.routes,
            *address_groups.routes,
            *address_scopes.routes,
            *rbac_policies.routes,
            *schedulers.routes,
            *default_rules.routes,
            *flavors.routes,
            *metering.routes,
            *trunks.routes,
            *segments.routes,
            *port_bindings.routes,
            *port_forwardings.routes,
            *auto_topologies.routes,
            *qos_policies.routes,
            *qos_rules.routes,
            *tags.routes,
        ],
        content_type="any",
    )
