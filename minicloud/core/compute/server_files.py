"""Files that a server is given on its config drive: what clients before 2.57 call its personality."""

import base64
import binascii
from collections.abc import Sequence
from typing import ClassVar

import msgspec

from minicloud.base.errors import Invalid
from minicloud.core import quota, records
from minicloud.engines.database import Transaction


class GivenFile(msgspec.Struct, frozen=True):
    """A file for the guest. ``contents`` in base64."""

    path: str
    contents: str


class ServerFile(records.Record, kw_only=True):
    """A file of a server, in the order in which they were given."""

    TABLE = "server_files"
    KEY: ClassVar[tuple[str, ...]] = ("server_id", "position")

    server_id: str
    position: int
    path: str
    contents: str


def check_contents(files: Sequence[GivenFile]) -> list[int]:
    """How many bytes each file has. Raises Invalid for what is no base64."""
    try:
        return [len(base64.b64decode(one.contents)) for one in files]
    except (binascii.Error, ValueError) as error:
        raise Invalid("Personality content could not be decoded: it needs to be valid base 64.") from error


def check(tx: Transaction, project_id: str, files: Sequence[GivenFile]) -> None:
    """Raises Invalid for what is no base64, OverQuota for too many, too large, or with too long a name."""
    if not files:
        return
    sizes = check_contents(files)
    # Each is held to its limit by itself, in Nova's order.
    for resource, amount in (
        ("injected_files", len(files)),
        ("injected_file_path_bytes", max(len(one.path.encode()) for one in files)),
        ("injected_file_content_bytes", max(sizes)),
    ):
        quota.check(tx, "compute", project_id, {resource: amount}, {})


def put(tx: Transaction, server_id: str, files: Sequence[GivenFile]) -> None:
    """These are a server's files from now on, and no others."""
    tx.execute("DELETE FROM server_files WHERE server_id = ?", [server_id])
    for position, one in enumerate(files):
        records.insert(tx, ServerFile(server_id=server_id, position=position, path=one.path, contents=one.contents))


def of_server(tx: Transaction, server_id: str) -> list[ServerFile]:
    """A server's files, in their order."""
    return records.select(tx, ServerFile, "server_id = ? ORDER BY position", [server_id])
