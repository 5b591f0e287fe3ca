"""Snapshots that a volume driver asks the hypervisor for (``/os-assisted-volume-snapshots``): no driver of this cloud needs them."""

from typing import Annotated, Any, Literal

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.microversions import NotNull
from minicloud.api.routes import Delete, Post
from minicloud.base.errors import CloudError, Invalid
from minicloud.core.policy import ADMIN_OR_SERVICE

POLICY = "os_compute_api:os-assisted-volume-snapshots"
Path = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class CreateInfo(Body):
    """What a driver knows of its snapshot."""

    snapshot_id: Path
    type: Literal["qcow2"]
    new_file: Path
    id: Annotated[Path | None, NotNull()] = None


class Snapshot(Body, wrap="snapshot"):
    """The body of POST."""

    volume_id: Path
    create_info: CreateInfo


class DeleteInfo(msgspec.Struct):
    """The parameter ``delete_info`` of DELETE, as far as it is looked into."""

    volume_id: str


def _not_ours(volume_id: str) -> CloudError:
    return Invalid(f"No volume Block Device Mapping with id {volume_id}.")


async def create(call: Call, body: Snapshot) -> Any:
    """No server has a volume whose driver needs this."""
    raise _not_ours(body.volume_id)


async def delete(call: Call, snapshot_id: str) -> None:
    """No server has a volume whose driver needs this."""
    queries.only(call, "delete_info")
    try:
        info = msgspec.json.decode(call.parameter("delete_info") or "", type=DeleteInfo)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"Invalid input for query parameters delete_info: {error}") from error
    raise _not_ours(info.volume_id)


routes = [
    Post("/os-assisted-volume-snapshots", create, policy=f"{POLICY}:create", allow=ADMIN_OR_SERVICE),
    Delete("/os-assisted-volume-snapshots/{snapshot_id}", delete, policy=f"{POLICY}:delete", allow=ADMIN_OR_SERVICE),
]
