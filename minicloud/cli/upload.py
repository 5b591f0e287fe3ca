"""A file becomes an image of the cloud, over its public API, streamed: identity for a token, image for the rest."""

import contextlib
import http.client
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from minicloud.base.errors import CloudError, Failed, Invalid, Unavailable
from minicloud.cli import credentials
from minicloud.cli.folder import Folder

_PIECE = 1 << 20
_ENDINGS = {
    ".qcow2": "qcow2",
    ".raw": "raw",
    ".img": "raw",
    ".vmdk": "vmdk",
    ".vdi": "vdi",
    ".vhd": "vhd",
    ".vhdx": "vhdx",
    ".iso": "iso",
}
_QCOW2 = b"QFI\xfb"


def image(
    folder: Folder,
    file: Path,
    *,
    name: str,
    disk_format: str | None,
    user: str,
    public: bool,
    progress: Callable[[int, int], None],
) -> dict[str, Any]:
    """Create and upload an image; its document. ``progress`` gets bytes sent and bytes in all.

    Raises Invalid (no such file, the cloud refuses it), Unavailable (the cloud does not answer), Failed.
    """
    if not file.is_file():
        raise Invalid(f"{file} is no file: give the path of a disk image")
    url = folder.need_running().url
    token = _token(url, credentials.variables(folder, user, None))
    wanted = {
        "name": name,
        "disk_format": disk_format or format_of(file),
        "container_format": "bare",
        "visibility": "public" if public else "private",
    }
    _, made = _ask(url, "POST", "/image/v2/images", token, msgspec.json.encode(wanted))
    path = f"/image/v2/images/{made['id']}"
    total = file.stat().st_size
    sent = {"Content-Type": "application/octet-stream", "Content-Length": str(total)}
    try:
        _ask(url, "PUT", f"{path}/file", token, _pieces(file, total, progress), sent)
    except (Invalid, Failed):
        # An image without bytes is of no use to anybody.
        with contextlib.suppress(CloudError):
            _ask(url, "DELETE", path, token, None)
        raise
    return _ask(url, "GET", path, token, None)[1]


def format_of(file: Path) -> str:
    """What a file's first bytes or its ending say; raw where they say nothing. The cloud looks for itself anyway."""
    with file.open("rb") as stream:
        if stream.read(4) == _QCOW2:
            return "qcow2"
    return _ENDINGS.get(file.suffix.lower(), "raw")


def _said(content: bytes) -> str:
    """The reason in an answer that tells of an error: its message, without the tags that image's have."""
    text = content.decode(errors="replace")
    try:
        document = msgspec.json.decode(content)
    except msgspec.DecodeError:
        document = None
    if isinstance(document, dict):
        nested = next((one for one in document.values() if isinstance(one, dict)), {})
        text = str(document.get("message") or nested.get("message") or text)
    return " ".join(text.replace("<br />", " ").split())[:300]


def _pieces(file: Path, total: int, progress: Callable[[int, int], None]) -> Iterator[bytes]:
    done = 0
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            yield piece
            done += len(piece)
            progress(done, total)


def _token(url: str, who: dict[str, str]) -> str:
    domain = {"name": who["OS_USER_DOMAIN_NAME"]}
    scope: dict[str, Any] = {"system": {"all": True}}
    if "OS_PROJECT_NAME" in who:
        scope = {"project": {"name": who["OS_PROJECT_NAME"], "domain": {"name": who["OS_PROJECT_DOMAIN_NAME"]}}}
    password = {"user": {"name": who["OS_USERNAME"], "password": who["OS_PASSWORD"], "domain": domain}}
    body = {"auth": {"identity": {"methods": ["password"], "password": password}, "scope": scope}}
    headers, _ = _ask(url, "POST", "/identity/v3/auth/tokens", "", msgspec.json.encode(body))
    return headers["X-Subject-Token"] or ""


def _ask(
    url: str, method: str, path: str, token: str, body: Any, headers: dict[str, str] | None = None
) -> tuple[http.client.HTTPMessage, dict[str, Any]]:
    """One request; headers and document of the answer. Raises Invalid for 4xx, Failed for 5xx, Unavailable."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=300)
    given = {"Content-Type": "application/json", "Accept": "application/json", "X-Auth-Token": token} | (headers or {})
    try:
        connection.request(method, path, body, given)
        answer = connection.getresponse()
        content = answer.read()
    except OSError as error:
        raise Unavailable(f"{url} does not answer ({error}): see `minicloud status`") from error
    finally:
        connection.close()
    if answer.status >= 400:
        said = _said(content)
        kind = Invalid if answer.status < 500 else Failed
        raise kind(f"{method} {path} was answered {answer.status}: {said}")
    return answer.headers, msgspec.json.decode(content) if content else {}
