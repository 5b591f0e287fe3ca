"""An image's bytes over HTTP: uploads that are inspected as they stream by, downloads of the whole or of a range."""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from starlette.responses import Response, StreamingResponse

from minicloud.api.call import Call
from minicloud.api.image.incoming import OCTETS, counted, declared_size, put, require_octets, taken
from minicloud.api.image.rules import RULES, extra, permit
from minicloud.api.routes import Get, Put
from minicloud.base import trace
from minicloud.base.errors import (
    Forbidden,
    Gone,
    Invalid,
    MethodNotAllowed,
    NotFound,
    RangeNotSatisfiable,
    UnsupportedMedia,
)
from minicloud.base.imageformat import DECLARABLE, Inspector
from minicloud.core.image import images, quotas, uploads
from minicloud.core.image.images import DEACTIVATED, INSPECTED, Image
from minicloud.core.image.options import STORE
from minicloud.core.image.uploads import Received
from minicloud.core.records import Transaction


async def upload(call: Call, image_id: str) -> None:
    """PUT /v2/images/{id}/file. Unless all goes well, the image is queued again and nothing of the bytes is left."""
    require_octets(call)
    declared = declared_size(call)
    store = call.header("x-image-meta-store") or STORE
    if store != STORE:
        raise Invalid(f"Unknown scheme '{store}' found in URI")

    def take(tx: Transaction) -> Image:
        image = images.get(tx, call.context, image_id)
        permit(call, "upload_image", image)
        quotas.check(tx, call.context.project_id, quotas.SIZE, (declared or 0) // quotas.MiB)
        quotas.check(tx, call.context.project_id, quotas.UPLOADING, 1)
        return uploads.begin(tx, image)

    image = await call.write(take)
    async with taken(call, image, image_id) as upload_id:
        received = await _receive(call, image, declared)
        await call.write(lambda tx: uploads.finish(tx, image_id, upload_id, received))


async def _receive(call: Call, image: Image, declared: int | None) -> Received:
    inspector = _inspector(image) if image.container_format in INSPECTED else None
    virtual_size: list[int] = []
    blob = await put(call, image.id, _inspected(image.id, counted(call.stream(), declared), inspector, virtual_size))
    return Received(
        size=blob.size, virtual_size=virtual_size[0] if virtual_size else None, md5=blob.md5, sha512=blob.sha512
    )


def _inspector(image: Image) -> Inspector:
    if image.disk_format not in DECLARABLE:
        raise UnsupportedMedia(
            f"disk format {image.disk_format!r} cannot be used here: choose one of {', '.join(sorted(DECLARABLE))}"
        )
    return Inspector(image.disk_format, empty=True)


async def _inspected(
    image_id: str, stream: AsyncGenerator[bytes, None], inspector: Inspector | None, virtual_size: list[int]
) -> AsyncGenerator[bytes, None]:
    """The stream itself; what it turns out to be is told before its end, so that no blob is kept of a bad one."""
    try:
        async with aclosing(stream):
            async for chunk in stream:
                if inspector is not None:
                    inspector.feed(chunk)
                yield chunk
        if inspector is not None:
            facts = inspector.finish()
            virtual_size.append(facts.told_size)
            seen = {"format": facts.format, "virtual_size": facts.virtual_size, "size": facts.file_size}
            trace.note("image_inspected", image=image_id, **seen)
    except Invalid as error:
        if inspector is None or error.kind is not None:
            raise
        # Upstream's answer to bytes that are not what the image says they are.
        raise UnsupportedMedia(error.message, **error.detail) from error


class Span(msgspec.Struct, frozen=True):
    """A part of the bytes."""

    offset: int
    length: int


async def download(call: Call, image_id: str) -> Response:
    """GET /v2/images/{id}/file."""
    if call.request.method == "HEAD":
        raise MethodNotAllowed("The method is not allowed for the requested URL.", allow=["GET", "PUT"])
    preferred = [one.strip() for one in (call.parameter("prefer") or "").split(",") if one.strip()]

    def look(tx: Transaction) -> Image:
        image = images.get(tx, call.context, image_id)
        if image.status == DEACTIVATED and not call.context.is_admin:
            raise Forbidden("The requested image has been deactivated. Image data download is forbidden.")
        permit(call, "download_image", image)
        if preferred:
            permit(call, "download_from_store", image)
        return image

    image = await call.read(look)
    unknown = next((one for one in preferred if one != STORE), None)
    if unknown is not None:
        raise Invalid(f"Store '{unknown}' is not configured.")
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
    Get(
        "/images/{image_id}/file",
        download,
        policy="download_image",
        allow=RULES["download_image"],
        late=True,
        extra=extra("download_from_store"),
    ),
]
