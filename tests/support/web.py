"""A web server on loopback that answers each path with the very bytes it was given."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import anyio
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from minicloud.base.download import DownloadRules

HERE = DownloadRules(hosts=("127.0.0.1",), ports=())
"""Rules that let downloads come from such a server."""


def ok(body: bytes) -> bytes:
    """An answer with these bytes."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


@asynccontextmanager
async def a_web(answers: Mapping[str, bytes]) -> AsyncIterator[str]:
    """The server's address, for as long as the context is open. A path without an answer gets 404."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")

    async def serve(stream: SocketStream) -> None:
        async with stream:
            head = await BufferedByteReceiveStream(stream).receive_until(b"\r\n\r\n", 1 << 16)
            path = head.split(b" ")[1].decode()
            await stream.send(answers.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        yield f"http://127.0.0.1:{port}"
        tasks.cancel_scope.cancel()
