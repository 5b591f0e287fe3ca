"""Image's quotas: identity's unified limits, where they are switched on for it; else nothing is limited.

Upstream's four, each of which has to be registered then: without a registered limit it is 0. Sizes in MiB. As upstream, the
size of all images may go over its limit by one upload whose size nobody said beforehand.
"""

import msgspec

from minicloud.base.errors import OverQuota, TooLarge
from minicloud.core import unified_limits
from minicloud.engines.database import Transaction

SERVICE = "image"
SIZE, STAGED, COUNT, UPLOADING = "image_size_total", "image_stage_total", "image_count_total", "image_count_uploading"
MiB = 1 << 20


class Usage(msgspec.Struct, frozen=True):
    """What an owner has of a resource, and may have."""

    usage: int
    limit: int


def usage(tx: Transaction, owner: str | None) -> dict[str, Usage]:
    """What an owner has and may have; empty where nothing is limited."""
    if not unified_limits.switched_on(tx, SERVICE):
        return {}
    allowed = unified_limits.limits(tx, SERVICE, owner)
    return {name: Usage(used, allowed.get(name, 0)) for name, used in _used(tx, owner).items()}


def check(tx: Transaction, owner: str | None, name: str, more: int) -> None:
    """Raises TooLarge, as upstream answers, where an owner may not have so much more."""
    if owner is None or not unified_limits.switched_on(tx, SERVICE):
        return
    used = {resource: had for resource, had in _used(tx, owner).items() if resource == name}
    try:
        # Who is over a limit, after an upload whose size nobody said, may not begin another one.
        unified_limits.enforce(tx, SERVICE, owner, {name: more}, used, [name], strict=True)
    except OverQuota as error:
        raise TooLarge(
            "The request returned a 413 Request Entity Too Large. This generally means that rate limiting or a quota "
            f"threshold was breached.\n\nThe response body:\n{error.message}",
            **error.detail,
        ) from error


def check_import(tx: Transaction, owner: str | None, *, staged_bytes: int | None) -> None:
    """Whether an import that has begun may go on: of so many bytes that were staged before, or of what will be (None).

    Raises TooLarge.
    """
    if staged_bytes is not None:
        check(tx, owner, SIZE, staged_bytes // MiB)
    else:
        check(tx, owner, STAGED, 0)
        check(tx, owner, UPLOADING, 0)


def _used(tx: Transaction, owner: str | None) -> dict[str, int]:
    row = tx.one(
        "SELECT count(*), COALESCE(sum(CASE WHEN status IN ('active', 'deactivated') THEN size END), 0), "
        "COALESCE(sum(CASE WHEN status IN ('uploading', 'importing') THEN size END), 0), "
        "count(CASE WHEN status IN ('saving', 'uploading', 'importing') THEN 1 END) "
        "FROM images WHERE owner = ? AND deleted = 0 AND status NOT IN ('killed', 'pending_delete')",
        [owner or ""],
    )
    assert row is not None
    return {SIZE: int(row[1]) // MiB, STAGED: int(row[2]) // MiB, COUNT: row[0], UPLOADING: row[3]}
