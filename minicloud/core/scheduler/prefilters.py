"""Pre-filters: what is asked of Placement beyond the flavor, so that hosts which cannot be meant are never looked at."""

from collections.abc import Iterable

import msgspec

from minicloud.base import trace
from minicloud.base.errors import NoValidHost
from minicloud.core.compute.aggregates import ZONE, Aggregate
from minicloud.core.compute.hosts import DISABLED
from minicloud.core.placement.allocation_candidates import Group
from minicloud.core.placement.names import standard_traits
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.core.scheduler.request import RequestSpec

TENANT = "filter_tenant_id"
TRAIT = "trait:"
_IMAGE_TRAITS = {
    "hw_cdrom_bus": "COMPUTE_STORAGE_BUS",
    "hw_disk_bus": "COMPUTE_STORAGE_BUS",
    "hw_video_model": "COMPUTE_GRAPHICS_MODEL",
    "hw_vif_model": "COMPUTE_NET_VIF_MODEL",
    "hw_architecture": "HW_ARCH",
    "hw_emulation_architecture": "COMPUTE_ARCH",
    "hw_viommu_model": "COMPUTE_VIOMMU",
}


class Narrowed(msgspec.Struct, frozen=True, kw_only=True):
    """What hosts must be besides: traits of the root provider; of each set of aggregates one; none of the barred."""

    root_required: frozenset[str] = frozenset()
    root_forbidden: frozenset[str] = frozenset({DISABLED})
    member_of: tuple[frozenset[str], ...] = ()
    barred: frozenset[str] = frozenset()

    @property
    def by_aggregates(self) -> bool:
        """Whether aggregates restrict the choice."""
        return bool(self.member_of or self.barred)


def narrowed(request: RequestSpec, aggregates: Iterable[Aggregate], options: SchedulerOptions) -> Narrowed:
    """What a request narrows down to. Raises NoValidHost for a project that must have an aggregate and has none."""
    known = list(aggregates)
    required: set[str] = set()
    member_of: list[frozenset[str]] = []
    if options.limit_tenants_to_placement_aggregate:
        mine = _of_tenant(known, request.project_id)
        if mine:
            member_of.append(mine)
            trace.note("prefilter", prefilter="require_tenant_aggregate", aggregates=sorted(mine))
        elif options.placement_aggregate_required_for_tenants:
            raise NoValidHost(
                f"No valid host was found. No hosts available for tenant: no aggregate names project {request.project_id} "
                f"in its metadata ({TENANT})."
            )
    if request.availability_zone is not None:
        zone = frozenset(one.uuid for one in known if one.metadata.get(ZONE) == request.availability_zone)
        if zone:
            member_of.append(zone)
            trace.note(
                "prefilter", prefilter="availability_zone", zone=request.availability_zone, aggregates=sorted(zone)
            )
    if options.query_placement_for_image_type_support and request.image_format:
        required |= _known("require_image_type_support", f"COMPUTE_IMAGE_TYPE_{request.image_format.upper()}")
    if options.image_metadata_prefilter:
        for key, prefix in _IMAGE_TRAITS.items():
            value = request.image_properties.get(key)
            if value:
                required |= _known("transform_image_metadata", f"{prefix}_{value.replace('-', '_').upper()}")
    barred: frozenset[str] = frozenset()
    if options.enable_isolated_aggregate_filtering:
        barred = _isolated(known, request)
        if barred:
            trace.note("prefilter", prefilter="isolate_aggregates", barred=sorted(barred))
    return Narrowed(root_required=frozenset(required), member_of=tuple(member_of), barred=barred)


def narrow(group: Group, narrowed: Narrowed) -> Group:
    """The unsuffixed group, restricted to aggregates."""
    if not narrowed.by_aggregates:
        return group
    return msgspec.structs.replace(
        group,
        member_of=(*group.member_of, *narrowed.member_of),
        not_member_of=group.not_member_of | narrowed.barred,
    )


def _of_tenant(aggregates: Iterable[Aggregate], project_id: str) -> frozenset[str]:
    return frozenset(
        one.uuid
        for one in aggregates
        if any(key.startswith(TENANT) and value == project_id for key, value in one.metadata.items())
    )


def _isolated(aggregates: Iterable[Aggregate], request: RequestSpec) -> frozenset[str]:
    """Aggregates whose metadata requires a trait that the request does not ask for."""
    asked = {
        f"{TRAIT}{key.partition(':')[2]}"
        for specs in (request.extra_specs, request.image_properties)
        for key, value in specs.items()
        if key.startswith("trait") and ":" in key and value == "required"
    }
    return frozenset(
        one.uuid
        for one in aggregates
        if any(
            key.startswith(TRAIT) and value == "required" and key not in asked for key, value in one.metadata.items()
        )
    )


def _known(prefilter: str, trait: str) -> set[str]:
    """The trait, if there is one of this name; else nothing is asked for, as upstream has it."""
    if trait not in standard_traits():
        trace.note("prefilter", prefilter=prefilter, unknown=trait)
        return set()
    trace.note("prefilter", prefilter=prefilter, required=trait)
    return {trait}
