"""Pre-filters: what aggregates, zones, images and projects make Placement leave out."""

from typing import Any

import pytest

from minicloud.base.errors import NoValidHost
from minicloud.core.compute.aggregates import Aggregate
from minicloud.core.compute.hosts import DISABLED
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.core.scheduler.prefilters import Narrowed, narrowed
from tests.support.scheduling import a_request


def group(number: int, **metadata: str) -> Aggregate:
    said = {key.replace("__", ":"): value for key, value in metadata.items()}
    return Aggregate(id=number, uuid=f"u{number}", name=f"a{number}", metadata=said, created_at="")


TENANTS = {"limit_tenants_to_placement_aggregate": True}


@pytest.mark.parametrize(
    ("asked", "options", "expected"),
    [
        ({}, {}, Narrowed()),
        ({"availability_zone": "nova"}, {}, Narrowed()),
        ({"availability_zone": "east"}, {}, Narrowed(member_of=(frozenset(["u1", "u2"]),))),
        ({}, TENANTS, Narrowed(member_of=(frozenset(["u3"]),))),
        (
            {"availability_zone": "east"},
            TENANTS,
            Narrowed(member_of=(frozenset(["u3"]), frozenset(["u1", "u2"]))),
        ),
        (
            {"image_format": "qcow2"},
            {"query_placement_for_image_type_support": True},
            Narrowed(root_required=frozenset(["COMPUTE_IMAGE_TYPE_QCOW2"])),
        ),
        ({"image_format": "odd"}, {"query_placement_for_image_type_support": True}, Narrowed()),
        ({"image_format": "qcow2"}, {}, Narrowed()),
        (
            {"image_properties": {"hw_vif_model": "e1000", "hw_architecture": "x86_64"}},
            {"image_metadata_prefilter": True},
            Narrowed(root_required=frozenset(["COMPUTE_NET_VIF_MODEL_E1000", "HW_ARCH_X86_64"])),
        ),
        ({}, {"enable_isolated_aggregate_filtering": True}, Narrowed(barred=frozenset(["u4"]))),
        (
            {"extra_specs": {"trait:CUSTOM_SAFE": "required"}},
            {"enable_isolated_aggregate_filtering": True},
            Narrowed(),
        ),
    ],
)
def test_a_request_narrows_down(asked: dict[str, Any], options: dict[str, Any], expected: Narrowed) -> None:
    groups = [
        group(1, availability_zone="east"),
        group(2, availability_zone="east"),
        group(3, filter_tenant_id="project"),
        group(4, trait__CUSTOM_SAFE="required"),
    ]
    assert narrowed(a_request(**asked), groups, SchedulerOptions(**options)) == expected
    assert expected.root_forbidden == {DISABLED}


def test_a_project_that_must_have_an_aggregate_and_has_none_gets_no_host() -> None:
    options = SchedulerOptions(**TENANTS, placement_aggregate_required_for_tenants=True)  # type: ignore[arg-type]
    with pytest.raises(NoValidHost, match="no aggregate names project project"):
        narrowed(a_request(), [], options)
