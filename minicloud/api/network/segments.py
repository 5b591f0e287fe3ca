"""/segments, for administrators."""

from collections.abc import Sequence
from typing import Any

from minicloud.api.network import guard, values
from minicloud.api.network.attributes import OMITTED, OWNED, REQUIRED, Attribute, Resource
from minicloud.api.network.kinds import Kind, five
from minicloud.core.context import Context
from minicloud.core.network import network_segments
from minicloud.core.network.network_segments import NetworkSegment
from minicloud.core.records import Transaction

SEGMENT = Resource(
    "segment",
    "segments",
    [
        Attribute("network_id", values.uuid, REQUIRED, change=False, filter="text", sort=True),
        Attribute("network_type", values.text(32), REQUIRED, change=False, filter="text", sort=True),
        Attribute("physical_network", values.or_none(values.text(64)), None, change=False, filter="text", sort=True),
        Attribute("segmentation_id", values.or_none(values.integer), None, change=False, filter="number", sort=True),
        Attribute("name", values.or_none(values.name), None, filter="text", sort=True),
        Attribute("description", values.or_none(values.text(255)), "", filter="text"),
        Attribute("created_at", filter="moment", sort=True),
        Attribute("updated_at", filter="moment", sort=True),
        Attribute("revision_number", filter="number"),
        # Upstream takes an owner and forgets it: a segment is the cloud's.
        Attribute("tenant_id", values.project, OMITTED, change=False),
        Attribute("project_id", values.project, OMITTED, change=False),
    ],
    has=[attribute for attribute in OWNED if attribute.name == "id"],
)


def _view(tx: Transaction, context: Context, found: Sequence[NetworkSegment]) -> list[dict[str, Any]]:
    return [
        {
            "id": segment.id,
            "network_id": segment.network_id,
            "name": segment.name,
            "description": segment.description,
            "network_type": segment.network_type,
            "physical_network": segment.physical_network,
            "segmentation_id": segment.segmentation_id,
            "created_at": f"{segment.created_at[:19]}Z",
            "updated_at": f"{segment.updated_at[:19]}Z",
            "revision_number": segment.revision_number,
        }
        for segment in found
    ]


class _Core:
    """What core offers; an owner that is named is let go."""

    get = staticmethod(network_segments.get)
    page = staticmethod(network_segments.page)
    change = staticmethod(network_segments.change)
    delete = staticmethod(network_segments.delete)

    @staticmethod
    def create(tx: Transaction, context: Context, **given: Any) -> NetworkSegment:
        """A new segment."""
        given.pop("tenant_id", None)
        return network_segments.create(tx, context, **given)


def _target(tx: Transaction, context: Context, segment: NetworkSegment) -> dict[str, Any]:
    return {"network_id": segment.network_id}


routes = five(
    Kind(
        resource=SEGMENT,
        path="/segments",
        core=_Core,
        view=_view,
        target=_target,
        read=guard.ADMIN,
        write=guard.ADMIN,
        listed=True,
    )
)
