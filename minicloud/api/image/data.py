"""An image's bytes over HTTP: uploads that are inspected as they stream by, downloads of the whole or of a range."""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import anyio
import msgspec
from starlette.responses import Response, StreamingResponse

from minicloud.api.call import Call
from minicloud.api.image.rules import RULES, permit
from minicloud.api.routes import Get, Put
from minicloud.base import trace
from minicloud.base.errors import (
    CloudError,
    Forbidden,
    Gone,
    Invalid,
    MethodNotAllowed,
    NotFound,
    RangeNotSatisfiable,
    TooLarge,
    UnsupportedMedia,
)
from minicloud.base.imageformat import DECLARABLE, Inspector
from minicloud.core.image import images, quotas, uploads
from minicloud.core.image.images import DEACTIVATED, INSPECTED, Image
from minicloud.core.image.uploads import Received
from minicloud.core.records import Transaction

OCTETS = "application/octet-stream"


async def upload(call: Call, image_id: str) -> None:
    """PUT /v2/images/{id}/file. Unless all goes well, the image is queued again and nothing of the bytes is left."""
    kind = call.header("content-type")
    if (kind or "").split(";")[0].strip().lower() != OCTETS:
        raise UnsupportedMedia(f"Invalid content type {kind}")
    declared = _declared_size(call)

    def take(tx: Transaction) -> Image:
        image = images.get(tx, call.context, image_id)
        permit(call, "upload_image", image)
        quotas.check(tx, call.context.project_id, quotas.SIZE, (declared or 0) // quotas.MiB)
        quotas.check(tx, call.context.project_id, quotas.UPLOADING, 1)
        return uploads.begin(tx, image)

    image = await call.write(take)
    upload_id = image.upload_id
    assert upload_id is not None
    why = "interrupted"
    finished = False
    try:
        received = await _receive(call, image, declared)
        await call.write(lambda tx: uploads.finish(tx, image_id, upload_id, received))
        finished = True
    except Gone:
        why = "the image was deleted"
        raise
    except CloudError as error:
        why = error.message
        raise
    finally:
        if not finished:
            with anyio.CancelScope(shield=True):
                await call.means.blobs.delete(image_id)
                await call.write(lambda tx: uploads.abandon(tx, image_id, upload_id, why))


async def _receive(call: Call, image: Image, declared: int | None) -> Received:
    inspector = None
    if image.container_format in INSPECTED:
        inspector = _inspector(image)
    virtual_size: list[int] = []
    # A crash may have left bytes of an earlier try: this upload owns the key now.
    await call.means.blobs.delete(image.id)
    stream = _inspected(call.stream(), inspector, virtual_size, declared)
    try:
        async with aclosing(stream):
            blob = await call.means.blobs.put(image.id, stream, limit_bytes=uploads.LARGEST_IMAGE)
    except TooLarge as error:
        raise TooLarge("The incoming image is too large: The provided image is too large.", **error.detail) from error
    return Received(
        size=blob.size, virtual_size=virtual_size[0] if virtual_size else None, md5=blob.md5, sha512=blob.sha512
    )


def _inspector(image: Image) -> Inspector:
    if image.disk_format not in DECLARABLE:
        raise UnsupportedMedia(
            f"disk format {image.disk_format!r} cannot be used here: choose one of {', '.join(sorted(DECLARABLE))}"
        )
    return Inspector(image.disk_format)


async def _inspected(
    stream: AsyncIterator[bytes], inspector: Inspector | None, virtual_size: list[int], declared: int | None
) -> AsyncGenerator[bytes, None]:
    """The stream itself; what it turns out to be is told before its end, so that no blob is kept of a bad one."""
    size = 0
    try:
        async for chunk in stream:
            if not chunk:
                continue
            size += len(chunk)
            if inspector is not None:
                inspector.feed(chunk)
            yield chunk
        if declared is not None and declared != size:
            raise Invalid(f"{declared} bytes were announced, but {size} came", kind="size")
        if inspector is not None:
            facts = inspector.finish()
            virtual_size.append(facts.virtual_size)
            trace.note("image_inspected", format=facts.format, virtual_size=facts.virtual_size, size=size)
    except Invalid as error:
        if inspector is None or error.kind is not None:
            raise
        # Upstream's answer to bytes that are not what the image says they are.
        raise UnsupportedMedia(error.message, **error.detail) from error


def _declared_size(call: Call) -> int | None:
    """What the client says will come. Raises Invalid, TooLarge."""
    text = call.header("x-openstack-image-size") or call.header("content-length")
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,18}", text):
        raise Invalid("Invalid or missing image size in request headers.")
    if int(text) > uploads.LARGEST_IMAGE:
        raise TooLarge("The incoming image is too large: The provided image is too large.")
    return int(text)


class Span(msgspec.Struct, frozen=True):
    """A part of the bytes."""

    offset: int
    length: int


async def download(call: Call, image_id: str) -> Response:
    """GET /v2/images/{id}/file."""
    if call.request.method == "HEAD":
        raise MethodNotAllowed("The method is not allowed for the requested URL.", allow=["GET", "PUT"])

    def look(tx: Transaction) -> Image:
        image = images.get(tx, call.context, image_id)
        if image.status == DEACTIVATED and not call.context.is_admin:
            raise Forbidden("The requested image has been deactivated. Image data download is forbidden.")
        permit(call, "download_image", image)
        return image

    image = await call.read(look)
    if not uploads.has_bytes(image):
        return Response(status_code=204)
    assert image.size is not None
    span = range_of(image.size, call.header("range"), call.header("content-range"))
    headers = {"Content-Type": OCTETS}
    if image.checksum:
        headers["Content-MD5"] = image.checksum
    offset, length = (0, image.size) if span is None else (span.offset, span.length)
    headers["Content-Length"] = str(length)
    if span is not None:
        headers["Content-Range"] = f"bytes {offset}-{offset + length - 1}/{image.size}"
    chunks = call.means.blobs.get(image_id, offset=offset, length=length)
    try:
        # Whatever is wrong with the bytes must show before the answer begins.
        first = await anext(chunks, b"")
    except NotFound as error:
        raise Gone(f"The bytes of image {image_id} are missing from the store", kind="no_blob") from error
    return StreamingResponse(_stream(first, chunks), status_code=200 if span is None else 206, headers=headers)


async def _stream(first: bytes, chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(chunks):
        yield first
        async for chunk in chunks:
            yield chunk


def range_of(size: int, asked: str | None, content_range: str | None) -> Span | None:
    """The part that a request asks for, of so many bytes; None for all of them.

    Raises:
        Invalid: more than one range.
        RangeNotSatisfiable: no range, or one that lies outside.
    """
    if asked is not None:
        if "," in asked:
            raise Invalid(
                "Requests with multiple ranges are not supported in Glance. You may make multiple single-range requests "
                "instead."
            )
        match = re.fullmatch(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", asked)
        if match is None or not (match[1] or match[2]) or (match[1] and match[2] and int(match[2]) < int(match[1])):
            raise RangeNotSatisfiable("Invalid Range header.")
        if not match[1]:
            length = min(int(match[2]), size)
            return Span(size - length, length) if length else _outside("Range", size)
        start = int(match[1])
        if start >= size:
            return _outside("Range", size)
        end = size if not match[2] else min(int(match[2]) + 1, size)
        return Span(start, end - start)
    if content_range is None:
        return None
    # No request header by the book, but upstream's oldest clients send it.
    match = re.fullmatch(r"\s*bytes\s+(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)\s*", content_range)
    if match is None or int(match[2]) < int(match[1]):
        raise RangeNotSatisfiable("Invalid Content-Range header.")
    start, stop = int(match[1]), int(match[2]) + 1
    if stop > size:
        raise RangeNotSatisfiable(
            "Invalid stop position in Content-Range header. The stop position MUST be in the inclusive range "
            f"[0, {size - 1}]."
        )
    return Span(start, stop - start)


def _outside(header: str, size: int) -> Span:
    raise RangeNotSatisfiable(
        f"Invalid start position in {header} header. Start position MUST be in the inclusive range [0, {size - 1}].",
        size=size,
    )


routes = [
    Put(
        "/images/{image_id}/file",
        upload,
        policy="upload_image",
        allow=RULES["upload_image"],
        late=True,
        stream=True,
        status=204,
    ),
    Get("/images/{image_id}/file", download, policy="download_image", allow=RULES["download_image"], late=True),
]
