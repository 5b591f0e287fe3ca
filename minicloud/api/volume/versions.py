"""Block storage's microversions, a line each with its meaning, and the version documents at the service's roots."""

from typing import Any

from minicloud.api.call import Call, Reply
from minicloud.api.microversions import Negotiation, Version, version
from minicloud.api.routes import Get

LOWEST, NEWEST = version("3.0"), version("3.71")

MEANINGS = """
3.0 all of the second API with its extensions
3.1 images made of volumes have a visibility and may be protected
3.2 the filter bootable takes truths only
3.3 messages to users
3.4 volumes may be found by their image metadata
3.5 messages in pages
3.6 consistency groups may lose their name
3.7 clusters
3.8 volumes and snapshots that can be managed
3.9 backups can be changed
3.10 volumes may be found by their group
3.11 types of groups
3.12 a summary of volumes
3.13 groups of volumes
3.14 snapshots of groups, and groups made of them
3.15 metadata has an ETag
3.16 volumes migrate to clusters
3.17 manageable things of a cluster
3.18 backups tell their project
3.19 the status of group snapshots can be reset
3.20 the status of groups can be reset
3.21 volumes tell their provider's id
3.22 snapshots may be found by their metadata
3.23 volumes can be deleted by force
3.24 cleaning up after workers
3.25 groups tell their volumes
3.26 replication of clusters
3.27 attachments
3.28 pools may be filtered
3.29 group snapshots may be filtered, sorted, and come in pages
3.30 snapshots are sorted by name
3.31 an unknown filter is refused
3.32 levels of logs
3.33 filters can be asked for
3.34 filters by similarity
3.35 pools by volume type
3.36 the summary has metadata
3.37 backups are sorted by name
3.38 replication of groups
3.39 limits of other projects
3.40 volumes revert to their newest snapshot
3.41 snapshots tell their user
3.42 volumes in use can be extended
3.43 backups have metadata
3.44 attachments are completed
3.45 listings count
3.46 volumes of images without bytes
3.47 volumes of backups
3.48 volumes tell their service and whether targets are shared
3.49 services tell the state of their backend
3.50 volumes for several servers
3.51 backups in other zones
3.52 volume types of zones
3.53 bodies are checked
3.54 attachments have a mode
3.55 volumes are transferred with their snapshots
3.56 backups tell their user
3.57 transfers tell both projects
3.58 groups tell their project
3.59 transfers in pages
3.60 volumes may be found by time
3.61 volumes tell their cluster
3.62 a default volume type for each project
3.63 volumes tell the id of their type
3.64 encryption keys are told
3.65 what counts against a quota is told
3.66 snapshots of volumes in use without force
3.67 no project id in the path
3.68 another image for a volume
3.69 whether targets are shared may be unknown
3.70 encrypted volumes are transferred
3.71 completion of extensions
"""

# Clients write the type of the catalog's entry there, which may be ``volumev3``.
NEGOTIATION = Negotiation(word="volume", lowest=LOWEST, newest=NEWEST, loose=True)


def known() -> list[tuple[Version, str]]:
    """Every microversion with its meaning, oldest first."""
    lines = [line.split(" ", 1) for line in MEANINGS.strip().splitlines()]
    return [(version(number), meaning) for number, meaning in lines]


def _document(call: Call) -> dict[str, Any]:
    return {
        "id": "v3.0",
        "status": "CURRENT",
        "version": str(NEWEST),
        "min_version": str(LOWEST),
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


routes = [
    Get("/", index, policy=None, open=True, root=True),
    Get("/v3", show, policy=None, open=True, root=True),
]
