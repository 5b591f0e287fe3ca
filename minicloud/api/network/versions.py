"""Version documents: ``/`` and ``/v2.0``."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.routes import Get

COLLECTIONS = (
    "networks",
    "subnets",
    "ports",
    "security-groups",
    "security-group-rules",
    "routers",
    "floatingips",
    "quotas",
    "availability_zones",
    "extensions",
)


async def versions(call: Call) -> Any:
    """The versions there are: one."""
    return {
        "versions": [{"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": f"{call.base_url}/v2.0/"}]}]
    }


async def collections(call: Call) -> Any:
    """What stands under the version."""
    return {
        "resources": [
            {
                "name": name.replace("-", "_").removesuffix("s"),
                "collection": name,
                "links": [{"rel": "self", "href": call.url(f"/{name}")}],
            }
            for name in COLLECTIONS
        ]
    }


routes = [
    Get("/", versions, policy=None, open=True, root=True),
    Get("/v2.0", collections, policy=None, open=True, root=True),
]
