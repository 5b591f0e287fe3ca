"""The version document: at the root, open to everyone."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.microversions import Negotiation, Version
from minicloud.api.placement.exchange import answer
from minicloud.api.routes import Get

NEGOTIATION = Negotiation(
    word="placement",
    lowest=Version(1, 0),
    newest=Version(1, 39),
    vary="openstack-api-version",
    format=r"\d{1,9}\.\d{1,9}",
    malformed="invalid version string: {text}",
    unacceptable="Unacceptable version header: {text}",
)


async def home(call: Call) -> Any:
    """Which versions there are. The link to itself is empty, so that no proxy makes it wrong."""
    version = {
        "id": f"v{NEGOTIATION.lowest}",
        "max_version": str(NEGOTIATION.newest),
        "min_version": str(NEGOTIATION.lowest),
        "status": "CURRENT",
        "links": [{"rel": "self", "href": ""}],
    }
    return answer(call, {"versions": [version]})


routes = [Get("/", home, policy=None, open=True, root=True)]
