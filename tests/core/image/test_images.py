"""The rules of images that no request shows: what a server can be made from."""

from typing import Any

import pytest

from minicloud.base.errors import Gone, Invalid
from minicloud.core.context import Context
from minicloud.core.image import images, members, uploads
from minicloud.core.image.images import Image
from minicloud.core.image.uploads import Received
from minicloud.engines.database import Transaction
from minicloud.engines.database.inline import InlineDatabase

pytestmark = pytest.mark.anyio
RED, BLUE = Context(project_id="red"), Context(project_id="blue")
RECEIVED = Received(size=5, virtual_size=512, md5="m", sha512="s")


def active(tx: Transaction, **values: object) -> Image:
    told: dict[str, Any] = {"disk_format": "raw", "container_format": "bare", **values}
    image = images.create(tx, owner="red", **told)
    begun = uploads.begin(tx, image)
    return uploads.finish(tx, image.id, str(begun.upload_id), RECEIVED)


async def test_a_server_is_made_from_what_is_seen_and_active() -> None:
    def story(tx: Transaction) -> None:
        image = active(tx)
        assert images.for_boot(tx, RED, image.id) == image
        with pytest.raises(Invalid, match="Can not find requested image"):
            images.for_boot(tx, BLUE, image.id)
        with pytest.raises(Invalid, match="Can not find requested image"):
            images.for_boot(tx, RED, "none")
        members.add(tx, image, "blue")
        assert images.for_boot(tx, BLUE, image.id).id == image.id
        images.deactivate(tx, image)
        with pytest.raises(Invalid, match=f"Image {image.id} is not active."):
            images.for_boot(tx, RED, image.id)
        packed = active(tx, container_format="ova")
        with pytest.raises(Invalid, match=f"Image {packed.id} is unacceptable: its container format is ova"):
            images.for_boot(tx, RED, packed.id)
        queued = images.create(tx, owner="red")
        with pytest.raises(Invalid, match=f"Image {queued.id} is not active."):
            images.for_boot(tx, RED, queued.id)
        assert set(images.find_many(tx, [image.id, queued.id, "none"])) == {image.id, queued.id}

    await InlineDatabase().write(story)


async def test_only_the_upload_that_took_an_image_finishes_it() -> None:
    def story(tx: Transaction) -> None:
        image = images.create(tx, owner="red", disk_format="raw", container_format="bare")
        first = str(uploads.begin(tx, image).upload_id)
        assert uploads.recover(tx) == [image.id, uploads.staged_key(image.id)]
        second = str(uploads.begin(tx, images.get(tx, RED, image.id)).upload_id)
        with pytest.raises(Gone):
            uploads.finish(tx, image.id, first, RECEIVED)
        uploads.abandon(tx, image.id, first, "late")
        assert images.get(tx, RED, image.id).status == "saving"
        done = uploads.finish(tx, image.id, second, RECEIVED)
        assert (done.status, done.size, done.virtual_size, done.upload_id) == ("active", 5, 512, None)
        with pytest.raises(Gone):
            uploads.finish(tx, image.id, second, RECEIVED)

    await InlineDatabase().write(story)
