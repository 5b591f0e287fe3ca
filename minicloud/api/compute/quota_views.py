"""What quota sets and quota classes have in common: their resources, each for as long as the API had it, and how they are read."""

from typing import Annotated

from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body
from minicloud.api.compute import queries
from minicloud.api.microversions import Until
from minicloud.core.quota import UNLIMITED

Number = int | str | UnsetType

MOVED_AWAY = ("fixed_ips", "floating_ips", "security_groups", "security_group_rules")
"""Resources that the network service counts: here they have limits to be read and set, which bind nothing."""


class Limits(Body):
    """The limits in the body of an update; numbers may be texts, what is left out stays."""

    instances: Number = UNSET
    cores: Number = UNSET
    ram: Number = UNSET
    metadata_items: Number = UNSET
    key_pairs: Number = UNSET
    server_groups: Number = UNSET
    server_group_members: Number = UNSET
    injected_files: Annotated[Number, Until("2.56")] = UNSET
    injected_file_content_bytes: Annotated[Number, Until("2.56")] = UNSET
    injected_file_path_bytes: Annotated[Number, Until("2.56")] = UNSET


def given(body: Body) -> dict[str, int]:
    """The limits that a body sets, checked. Raises Invalid."""
    found = {}
    for name in (*Limits.__struct_fields__, *MOVED_AWAY):
        value = getattr(body, name)
        if value is not UNSET:
            found[name] = queries.integer(name, value, UNLIMITED)
    return found
