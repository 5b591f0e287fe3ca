"""Which providers meet a group of conditions, each by itself: the filters of ``GET /resource_providers``, on the index."""

from minicloud.base.errors import Invalid, NotFound
from minicloud.core.placement import resource_classes, traits
from minicloud.core.placement.allocation_candidates import Group, alone
from minicloud.core.placement.index import Placement
from minicloud.core.placement.resource_providers import ResourceProvider
from minicloud.engines.database import Transaction


def listed(
    tx: Transaction, placement: Placement, group: Group, *, name: str | None = None, provider_id: str | None = None
) -> list[ResourceProvider]:
    """The providers that by themselves meet a group of conditions, and have this name and id. Raises Invalid for unknown names
    of classes and traits."""
    _expect_names(tx, group)
    picture = placement.picture(tx)
    if group.in_tree is not None and group.in_tree not in picture:
        return []
    return [
        ResourceProvider(
            id=found.id,
            name=found.name,
            generation=found.generation,
            parent_id=found.parent_id,
            root_id=found.root_id,
            created_at=found.created_at,
            updated_at=found.updated_at,
        )
        for found in picture.providers()
        if (name is None or found.name == name)
        and (provider_id is None or found.id == provider_id)
        and alone(picture, group, found)
    ]


def _expect_names(tx: Transaction, group: Group) -> None:
    try:
        resource_classes.require(tx, list(group.resources))
    except NotFound as error:
        raise Invalid(f"Invalid resource class in resources parameter: {error.message}") from error
    try:
        traits.require(tx, [*(name for names in group.required for name in sorted(names)), *sorted(group.forbidden)])
    except NotFound as error:
        raise Invalid(f'Invalid trait(s) in "required" parameter: {error.message}') from error
