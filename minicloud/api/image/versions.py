"""Versions of the Image API. They are a list of features, not a negotiation: every request is answered alike."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.routes import Get

CURRENT = "v2.17"
SUPPORTED = ("v2.15", "v2.9", "v2.7", "v2.6", "v2.5", "v2.4", "v2.3", "v2.2", "v2.1", "v2.0")
"""What upstream lists too when there is one store and no image cache."""


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
