"""Versions of the Image API. They are a list of features, not a negotiation: every request is answered alike."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.routes import Get

CURRENT = "v2.18"
SUPPORTED = tuple(f"v2.{minor}" for minor in range(17, -1, -1))
"""All of upstream's, as there are named stores and a cache."""


async def index(call: Call) -> Any:
    """GET / and GET /versions."""
    links = [{"rel": "self", "href": f"{call.base_url}/v2/"}]
    return {
        "versions": [
            {"id": CURRENT, "status": "CURRENT", "links": links},
            *({"id": version, "status": "SUPPORTED", "links": links} for version in SUPPORTED),
        ]
    }


routes = [
    Get("/", index, policy=None, open=True, root=True, status=300),
    Get("/versions", index, policy=None, open=True, root=True),
]
