"""Extensions over HTTP: the parts that the API once came in, read off the routes that are there (``/extensions``)."""

import sys
from typing import Any

from minicloud.api.call import Call
from minicloud.api.routes import Get, Route
from minicloud.core.policy import ANYONE

POLICY = "os_compute_api:extensions"
NAMESPACE = "http://docs.openstack.org/compute/ext/fake_xml"
UPDATED = "2014-12-03T00:00:00Z"
"""What upstream answers for all of them."""


def _extensions(call: Call) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for route in call.service.routes:
        alias = _alias(route)
        if alias is not None and alias not in found:
            about = (sys.modules[route.handler.__module__].__doc__ or "").partition("\n")[0]
            found[alias] = {
                "alias": alias,
                "name": "".join(word.capitalize() for word in alias.removeprefix("os-").split("-")),
                "description": about,
                "links": [],
                "namespace": NAMESPACE,
                "updated": UPDATED,
            }
    return dict(sorted(found.items()))


def _alias(route: Route) -> str | None:
    """The second word of the policies of a part: ``os_compute_api:os-keypairs:create``."""
    return None if route.policy is None else route.policy.split(":")[1]


async def index(call: Call) -> Any:
    """All parts."""
    return {"extensions": list(_extensions(call).values())}


async def show(call: Call, alias: str) -> Any:
    """One part."""
    found = _extensions(call).get(alias)
    if found is None:
        raise call.absent()
    return {"extension": found}


routes = [
    Get("/extensions", index, policy=POLICY, allow=ANYONE),
    Get("/extensions/{alias}", show, policy=POLICY, allow=ANYONE),
]
