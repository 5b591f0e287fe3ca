"""Puts into the documents of a config drive where the guest will find its disks and cards, which nobody knows before the host."""

import re
from collections.abc import Mapping

from minicloud.agent.specs import ADDRESS_OF, BUS_OF
from minicloud.drivers.hypervisor import DeviceAddress

_KNOWN = "[0-9a-z-]{1,64}"
_SPOTS = {
    re.compile(BUS_OF.format(f"({_KNOWN})").encode()): "bus",
    re.compile(ADDRESS_OF.format(f"({_KNOWN})").encode()): "address",
}


def filled(files: Mapping[str, bytes], places: Mapping[str, DeviceAddress]) -> dict[str, bytes]:
    """The files by path, with the places of disks and cards by their ids; what has none is "none", as upstream says it."""

    def told(name: str, content: bytes) -> bytes:
        if not name.endswith("/meta_data.json"):
            return content
        for spot, what in _SPOTS.items():
            content = spot.sub(lambda found, what=what: _word(places, found[1].decode(), what), content)  # type: ignore[misc]
        return content

    return {name: told(name, content) for name, content in files.items()}


def _word(places: Mapping[str, DeviceAddress], device_id: str, what: str) -> bytes:
    place = places.get(device_id)
    return (getattr(place, what) if place is not None else "").encode() or b"none"
