"""Downloads over HTTP of what users name: only from where the administrator lets them, and never from this machine by accident.

A name is resolved once and the connection goes to the very address that was judged, also behind each redirect. The rules are
those of Glance's ``import_filtering_opts``: addresses of this machine and of the link are refused unless the host is named.
"""

import ipaddress
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import anyio
import msgspec
from anyio.streams.buffered import BufferedByteReceiveStream

from minicloud.base.errors import CloudError, Failed, Invalid

T = TypeVar("T", str, int)

MOST_REDIRECTS = 5
SILENCE_S = 60.0
"""Seconds for which a server may say nothing."""
_HEADERS_LIMIT = 64 << 10
_PIECE = 256 << 10
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MOVED = (301, 302, 303, 307, 308)


class DownloadRules(msgspec.Struct, frozen=True, kw_only=True):
    """Where downloads may come from. No ``schemes``, ``hosts`` or ``ports`` are all but the refused ones, which count only then."""

    schemes: tuple[str, ...] = ("http", "https")
    refused_schemes: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    refused_hosts: tuple[str, ...] = ()
    ports: tuple[int, ...] = (80, 443)
    refused_ports: tuple[int, ...] = ()


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A URL that may be asked, and the addresses that its host has."""

    url: str
    scheme: str
    host: str
    port: int
    path: str
    addresses: tuple[str, ...]


async def judge(url: str, rules: DownloadRules) -> Target:
    """Where a URL leads, if the rules allow it. Raises Invalid, kind ``download_refused``."""
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
    except ValueError as error:
        raise _refused(url, str(error)) from error
    if scheme not in _DEFAULT_PORTS or not _fits(scheme, rules.schemes, rules.refused_schemes):
        raise _refused(url, f"the scheme {scheme or '(none)'} is not allowed")
    if not host or any(ord(letter) <= 32 or ord(letter) > 126 for letter in url):
        raise _refused(url, "it names no host, or has letters that a URL cannot have")
    if not _fits(host, rules.hosts, rules.refused_hosts):
        raise _refused(url, f"the host {host} is not allowed")
    # As upstream, a port that is not written out is the scheme's own and needs no permission.
    if port is not None and not _fits(port, rules.ports, rules.refused_ports):
        raise _refused(url, f"the port {port} is not allowed")
    port = port or _DEFAULT_PORTS[scheme]
    addresses = await _addresses(url, host, port)
    if host not in rules.hosts:
        addresses = [one for one in addresses if not _inside(one) and one not in rules.refused_hosts]
    if not addresses:
        raise _refused(url, f"{host} has no address that is allowed")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(url=url, scheme=scheme, host=host, port=port, path=path, addresses=tuple(addresses))


def _fits(value: T, allowed: Collection[T], refused: Collection[T]) -> bool:
    return value in allowed if allowed else value not in refused


def _refused(url: str, why: str) -> Invalid:
    return Invalid(f"The URL {url[:500]} may not be downloaded from: {why}", kind="download_refused")


async def _addresses(url: str, host: str, port: int) -> list[str]:
    """Addresses of a host. Numbers in other spellings than the usual one (``127.1``, ``0x7f000001``) are no names."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    if all(letter.isdigit() or letter == "." for letter in host):
        raise _refused(url, f"{host} is neither a name nor an address")
    name = host if host.endswith(".") else f"{host}."
    if host == "localhost":
        name = host
    try:
        found = await anyio.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _refused(url, f"{host} is not known ({error})") from error
    return list(dict.fromkeys(str(one[4][0]).partition("%")[0] for one in found))


def _inside(address: str) -> bool:
    """Whether an address is this machine's own or the link's, such as that of a metadata service."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast


async def fetch(url: str, rules: DownloadRules) -> AsyncGenerator[bytes, None]:
    """The bytes behind a URL, redirects followed. Close it (``contextlib.aclosing``) when stopping halfway.

    Raises Invalid, kind ``download_refused``; Failed, kind ``download``: no answer, not 200, cut off.
    """
    for _ in range(MOST_REDIRECTS + 1):
        target = await judge(url, rules)
        try:
            async with _asked(target) as (status, headers, stream):
                if status in _MOVED and "location" in headers:
                    url = urljoin(url, headers["location"])
                    continue
                if status != 200:
                    raise Failed(f"{target.host} answered {status} to GET {target.path}", kind="download", url=url)
                async with aclosing(_body(headers, stream)) as pieces:
                    async for piece in pieces:
                        yield piece
                return
        except CloudError:
            raise
        except TimeoutError as error:
            raise Failed(f"{target.host} said nothing for {SILENCE_S:g} seconds", kind="download", url=url) from error
        except (
            OSError,
            anyio.EndOfStream,
            anyio.IncompleteRead,
            anyio.BrokenResourceError,
            anyio.DelimiterNotFound,
        ) as error:
            raise Failed(
                f"The download from {target.host} broke off: {error or type(error).__name__}", kind="download", url=url
            ) from error
        except ValueError as error:
            raise Failed(f"{target.host} does not speak HTTP: {error}", kind="download", url=url) from error
    raise Failed(f"More than {MOST_REDIRECTS} redirects, the last one to {url[:500]}", kind="download", url=url)


@asynccontextmanager
async def _asked(target: Target) -> AsyncIterator[tuple[int, dict[str, str], BufferedByteReceiveStream]]:
    """Ask; the status, the headers and the stream behind them."""
    stream = await _connected(target)
    async with stream:
        default = target.port == _DEFAULT_PORTS[target.scheme]
        name = f"[{target.host}]" if ":" in target.host else target.host
        lines = [
            f"GET {target.path} HTTP/1.1",
            f"Host: {name if default else f'{name}:{target.port}'}",
            "User-Agent: minicloud",
            "Accept: */*",
            "Accept-Encoding: identity",
            "Connection: close",
        ]
        with anyio.fail_after(SILENCE_S):
            await stream.send("\r\n".join([*lines, "", ""]).encode("ascii"))
            buffered = BufferedByteReceiveStream(stream)
            head = (await buffered.receive_until(b"\r\n\r\n", _HEADERS_LIMIT)).decode("latin-1")
        first, *rest = head.split("\r\n")
        words = first.split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdecimal():
            raise ValueError(f"its answer begins with {first[:100]!r}")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        yield int(words[1]), headers, buffered


async def _connected(target: Target) -> anyio.abc.ByteStream:
    failed: OSError | None = None
    for address in target.addresses:
        try:
            with anyio.fail_after(SILENCE_S):
                if target.scheme == "https":
                    return await anyio.connect_tcp(
                        address,
                        target.port,
                        tls=True,
                        tls_hostname=target.host,
                        ssl_context=ssl.create_default_context(),
                        tls_standard_compatible=False,
                    )
                return await anyio.connect_tcp(address, target.port)
        except OSError as error:
            failed = error
    assert failed is not None
    raise failed


async def _body(headers: dict[str, str], stream: BufferedByteReceiveStream) -> AsyncGenerator[bytes, None]:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        while size := await _chunk_size(stream):
            async with aclosing(_exactly(stream, size)) as pieces:
                async for piece in pieces:
                    yield piece
            with anyio.fail_after(SILENCE_S):
                await stream.receive_exactly(2)
    elif "content-length" in headers:
        async with aclosing(_exactly(stream, int(headers["content-length"]))) as pieces:
            async for piece in pieces:
                yield piece
    else:
        while True:
            try:
                with anyio.fail_after(SILENCE_S):
                    piece = await stream.receive(_PIECE)
            except anyio.EndOfStream:
                return
            yield piece


async def _chunk_size(stream: BufferedByteReceiveStream) -> int:
    with anyio.fail_after(SILENCE_S):
        line = await stream.receive_until(b"\r\n", 1024)
    return int(line.partition(b";")[0].strip(), 16)


async def _exactly(stream: BufferedByteReceiveStream, size: int) -> AsyncGenerator[bytes, None]:
    left = size
    while left > 0:
        with anyio.fail_after(SILENCE_S):
            piece = await stream.receive(min(left, _PIECE))
        left -= len(piece)
        yield piece
