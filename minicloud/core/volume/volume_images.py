"""Images as volumes know them: found by id or name, and what a volume remembers of the one that it was made of."""

from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.image import images
from minicloud.core.image.images import Image
from minicloud.engines.database import Transaction


def find(tx: Transaction, context: Context, reference: str) -> Image:
    """The image that a client means: an id, the end of a link, or else a name.

    Raises Invalid when there is none, Conflict when several have the name.
    """
    try:
        return images.get(tx, context, reference.rpartition("/")[2])
    except NotFound:
        named = records.select(tx, Image, "name = ? AND deleted = 0", [reference])
    found = [image for image in named if images.visible(tx, context, image)]
    if len(found) > 1:
        raise Conflict(f"Multiple matches found for '{reference}', use an ID to be more specific.")
    if not found:
        raise Invalid("Invalid image identifier or unable to access requested image.")
    return found[0]
