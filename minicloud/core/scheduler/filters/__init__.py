"""Filters, one to a file, by Nova's names."""

from collections.abc import Mapping

from minicloud.core.scheduler.filters.aggregate_image_properties_isolation import AggregateImagePropertiesIsolation
from minicloud.core.scheduler.filters.aggregate_instance_extra_specs import AggregateInstanceExtraSpecsFilter
from minicloud.core.scheduler.filters.aggregate_io_ops import AggregateIoOpsFilter
from minicloud.core.scheduler.filters.aggregate_multitenancy_isolation import AggregateMultiTenancyIsolation
from minicloud.core.scheduler.filters.aggregate_num_instances import AggregateNumInstancesFilter
from minicloud.core.scheduler.filters.aggregate_type_affinity import AggregateTypeAffinityFilter
from minicloud.core.scheduler.filters.all_hosts import AllHostsFilter
from minicloud.core.scheduler.filters.availability_zone import AvailabilityZoneFilter
from minicloud.core.scheduler.filters.compute import ComputeFilter
from minicloud.core.scheduler.filters.compute_capabilities import ComputeCapabilitiesFilter
from minicloud.core.scheduler.filters.different_host import DifferentHostFilter
from minicloud.core.scheduler.filters.image_properties import ImagePropertiesFilter
from minicloud.core.scheduler.filters.io_ops import IoOpsFilter
from minicloud.core.scheduler.filters.isolated_hosts import IsolatedHostsFilter
from minicloud.core.scheduler.filters.json import JsonFilter
from minicloud.core.scheduler.filters.metrics import MetricsFilter
from minicloud.core.scheduler.filters.num_instances import NumInstancesFilter
from minicloud.core.scheduler.filters.numa_topology import NUMATopologyFilter
from minicloud.core.scheduler.filters.pci_passthrough import PciPassthroughFilter
from minicloud.core.scheduler.filters.same_host import SameHostFilter
from minicloud.core.scheduler.filters.server_group_affinity import ServerGroupAffinityFilter
from minicloud.core.scheduler.filters.server_group_anti_affinity import ServerGroupAntiAffinityFilter
from minicloud.core.scheduler.filters.simple_cidr_affinity import SimpleCIDRAffinityFilter
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.core.scheduler.verdict import Filter


def all_filters(options: SchedulerOptions) -> Mapping[str, Filter]:
    """Every filter by name."""
    filters: list[Filter] = [
        AggregateImagePropertiesIsolation(options),
        AggregateInstanceExtraSpecsFilter(),
        AggregateIoOpsFilter(options),
        AggregateMultiTenancyIsolation(),
        AggregateNumInstancesFilter(options),
        AggregateTypeAffinityFilter(),
        AllHostsFilter(),
        AvailabilityZoneFilter(),
        ComputeCapabilitiesFilter(),
        ComputeFilter(),
        DifferentHostFilter(),
        ImagePropertiesFilter(options),
        IoOpsFilter(options),
        IsolatedHostsFilter(options),
        JsonFilter(),
        MetricsFilter(options),
        NUMATopologyFilter(),
        NumInstancesFilter(options),
        PciPassthroughFilter(),
        SameHostFilter(),
        ServerGroupAffinityFilter(),
        ServerGroupAntiAffinityFilter(),
        SimpleCIDRAffinityFilter(),
    ]
    return {one.name: one for one in filters}
