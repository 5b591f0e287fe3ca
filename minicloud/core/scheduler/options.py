"""The scheduler's settings, by Nova's names where it has them; ``cloud.py`` makes them out of the cloud's settings."""

from collections.abc import Mapping
from typing import Any, get_type_hints

import msgspec

from minicloud.base.errors import Invalid
from minicloud.core.scheduler.pci import Alias, aliases_of

DEFAULT_FILTERS = (
    "ComputeFilter",
    "AvailabilityZoneFilter",
    "ComputeCapabilitiesFilter",
    "ImagePropertiesFilter",
    "NUMATopologyFilter",
    "PciPassthroughFilter",
    "ServerGroupAntiAffinityFilter",
    "ServerGroupAffinityFilter",
)
"""Upstream's, and three more that only ever refuse hosts which could not run the server anyway."""


class SchedulerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """``max_placement_results``: how many candidates are looked at. Settings that are lists of pairs: (name, ratio)."""

    enabled_filters: tuple[str, ...] = DEFAULT_FILTERS
    max_placement_results: int = 1000
    host_subset_size: int = 1
    max_attempts: int = 3
    max_instances_per_host: int = 50
    max_io_ops_per_host: int = 8
    isolated_hosts: tuple[str, ...] = ()
    isolated_images: tuple[str, ...] = ()
    restrict_isolated_hosts_to_isolated_images: bool = True
    aggregate_image_properties_isolation_namespace: str = ""
    aggregate_image_properties_isolation_separator: str = "."
    image_properties_default_architecture: str = ""
    ram_weight_multiplier: float = 1.0
    cpu_weight_multiplier: float = 1.0
    disk_weight_multiplier: float = 1.0
    io_ops_weight_multiplier: float = -1.0
    pci_weight_multiplier: float = 1.0
    soft_affinity_weight_multiplier: float = 1.0
    soft_anti_affinity_weight_multiplier: float = 1.0
    build_failure_weight_multiplier: float = 1_000_000.0
    hypervisor_version_weight_multiplier: float = 1.0
    num_instances_weight_multiplier: float = 0.0
    image_props_weight_multiplier: float = 0.0
    image_props_weight_setting: tuple[tuple[str, float], ...] = ()
    image_locality_weight_multiplier: float = 0.0
    metrics_weight_multiplier: float = 1.0
    metrics_weight_setting: tuple[tuple[str, float], ...] = ()
    metrics_required: bool = True
    metrics_weight_of_unavailable: float = -10_000.0
    limit_tenants_to_placement_aggregate: bool = False
    placement_aggregate_required_for_tenants: bool = False
    query_placement_for_image_type_support: bool = False
    enable_isolated_aggregate_filtering: bool = False
    image_metadata_prefilter: bool = False
    pci_alias: tuple[Alias, ...] = ()


def read_options(values: Mapping[str, Any]) -> SchedulerOptions:
    """The options out of the cloud's settings, by the same names; lists stand there as texts. Raises Invalid."""
    found: dict[str, Any] = {}
    hints = get_type_hints(SchedulerOptions)
    for name, hint in hints.items():
        value = values.get(name)
        if value is None:
            continue
        if name == "pci_alias":
            found[name] = aliases_of(value)
        elif hint == tuple[str, ...]:
            names = tuple(part.strip() for part in value.split(",") if part.strip())
            # A scheduler without any filter is asked for by AllHostsFilter, not by an empty text.
            if names or name != "enabled_filters":
                found[name] = names
        elif isinstance(value, str) and hint is not str:
            found[name] = tuple(_pair(name, part) for part in value.split(",") if part.strip())
        else:
            found[name] = value
    return SchedulerOptions(**found)


def _pair(setting: str, text: str) -> tuple[str, float]:
    name, _, ratio = text.strip().partition("=")
    try:
        return name.strip(), float(ratio)
    except ValueError as error:
        raise Invalid(f"The setting {setting} should hold name=ratio, separated by commas, not {text!r}") from error
