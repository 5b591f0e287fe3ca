"""Members: the projects that an image is shared with, and what they answered."""

from typing import ClassVar

from minicloud.base import trace
from minicloud.base.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.image.images import Image
from minicloud.engines.database import Transaction

STATUSES = ("pending", "accepted", "rejected")
MOST_MEMBERS = 128


class Member(records.Record, kw_only=True):
    """A project that an image is shared with. Until it accepts, the image does not show in its listings."""

    TABLE = "image_members"
    KEY: ClassVar[tuple[str, ...]] = ("image_id", "member_id")

    image_id: str
    member_id: str
    status: str = "pending"
    created_at: str
    updated_at: str


def require_shared(image: Image) -> None:
    """Raises Forbidden for an image that is not shared: it has no members."""
    if image.visibility != "shared":
        raise Forbidden("Only shared images have members.")


def of_image(tx: Transaction, context: Context, image: Image) -> list[Member]:
    """The members: all for the owner, else only whoever asks."""
    found = records.select(tx, Member, "image_id = ? ORDER BY created_at, member_id", [image.id])
    if context.is_admin or image.owner == context.project_id:
        return found
    return [member for member in found if member.member_id == context.project_id]


def get(tx: Transaction, context: Context, image: Image, member_id: str) -> Member:
    """One member, if whoever asks may know of it. Raises NotFound."""
    found = records.find(tx, Member, image.id, member_id)
    mine = context.is_admin or context.project_id in (image.owner, member_id)
    if found is None or not mine:
        raise NotFound(f"{member_id} not found in the member list of the image {image.id}.")
    return found


def add(tx: Transaction, image: Image, member_id: str) -> Member:
    """Share the image with a project. Raises Conflict when it is shared with it already, TooLarge when with too many."""
    if records.find(tx, Member, image.id, member_id) is not None:
        raise Conflict(f"Member {member_id} is duplicated for image {image.id}")
    attempted = records.count(tx, Member, [records.Condition("image_id", "=", image.id)]) + 1
    if attempted > MOST_MEMBERS:
        raise TooLarge(
            f"Image member limit exceeded for image {image.id}: The limit has been exceeded on the number of allowed "
            f"image members for this image. Attempted: {attempted}, Maximum: {MOST_MEMBERS}:"
        )
    trace.note("image_shared", image=image.id, project=member_id)
    return records.insert(tx, Member(image_id=image.id, member_id=member_id, created_at=tx.now, updated_at=tx.now))


def answer(tx: Transaction, member: Member, status: str) -> Member:
    """The project accepts or rejects the image. Raises Invalid for other words."""
    if status not in STATUSES:
        raise Invalid('Incorrect request: Status must be "pending", "accepted" or "rejected".')
    return records.change(tx, member, status=status, updated_at=tx.now)


def remove(tx: Transaction, member: Member) -> None:
    """The image is shared with the project no more."""
    records.remove(tx, member)
