"""Block storage (Cinder v3): so far its version documents; everything else says honestly that it is not there yet."""

from typing import Any

from minicloud.api.bodies import Reading
from minicloud.api.call import Call, Reply
from minicloud.api.microversions import Negotiation, version
from minicloud.api.routes import Get
from minicloud.api.service import Service

NEGOTIATION = Negotiation(word="volume", lowest=version("3.0"), newest=version("3.71"))


def _document(call: Call) -> dict[str, Any]:
    return {
        "id": "v3.0",
        "status": "CURRENT",
        "version": str(NEGOTIATION.newest),
        "min_version": str(NEGOTIATION.lowest),
        "updated": "2023-08-31T00:00:00Z",
        "links": [
            {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
            {"rel": "self", "href": f"{call.base_url}/v3/"},
        ],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}],
    }


async def index(call: Call) -> Any:
    """All versions of the API."""
    return Reply({"versions": [_document(call)]}, status=300)


async def show(call: Call) -> Any:
    """The one version there is."""
    return {"versions": [_document(call)]}


def service() -> Service:
    """The block storage service."""
    return Service(
        name="volume",
        dialect="volume",
        other_versions_method="not_found",
        mounts=("/volume",),
        prefix="/v3",
        negotiation=NEGOTIATION,
        reading=Reading(lenient=True),
        project_in_path=True,
        routes=[
            Get("/", index, policy=None, open=True, root=True),
            Get("/v3", show, policy=None, open=True, root=True),
        ],
        not_found="This cloud does not offer block storage yet.",
    )
