"""The version documents of identity, which anybody may read."""

from minicloud.api.call import Call, Reply
from minicloud.api.identity import json_home
from minicloud.api.identity.views import View
from minicloud.api.routes import Get


def _version(call: Call) -> View:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": call.url("/")}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


async def index(call: Call) -> Reply:
    """``GET /``: all versions; there is one. With JSON Home asked for, where everything is."""
    if json_home.wanted(call.header("accept") or ""):
        return _home("/v3")
    return Reply({"versions": {"values": [_version(call)]}}, 300, {"Location": call.url("/"), "Vary": "X-Auth-Token"})


async def show(call: Call) -> Reply:
    """``GET /v3``"""
    if json_home.wanted(call.header("accept") or ""):
        return _home("")
    return Reply({"version": _version(call)})


def _home(prefix: str) -> Reply:
    return Reply(json_home.document(prefix), 200, {"Content-Type": json_home.MEDIA_TYPE, "Vary": "Accept"})


routes = [
    Get("/", index, policy=None, open=True, root=True, status=300),
    Get("/", show, policy=None, open=True),
]
