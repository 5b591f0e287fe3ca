"""Downloads come from where the rules let them, whole, and from nowhere else."""

from contextlib import aclosing, nullcontext
from typing import Any

import pytest

from minicloud.base.download import DownloadRules, fetch, judge
from minicloud.base.errors import Failed, Invalid
from tests.support.web import HERE, a_web, ok

pytestmark = pytest.mark.anyio
BODY = bytes(range(256)) * 4000


async def got(url: str, rules: DownloadRules = HERE) -> bytes:
    async with aclosing(fetch(url, rules)) as pieces:
        return b"".join([piece async for piece in pieces])


@pytest.mark.parametrize(
    "url",
    [
        "ftp://203.0.113.5/x",
        "file:///etc/passwd",
        "http:///x",
        "no url",
        "",
        "http://203.0.113.5:8080/x",
        "http://127.0.0.1/x",
        "http://[::1]/x",
        "http://[::ffff:127.0.0.1]/x",
        "http://169.254.169.254/latest/meta-data",
        "http://0.0.0.0/x",
        "http://2130706433/x",
        "http://127.1/x",
        "http://0x7f000001/x",
        "http://localhost/x",
        "http://203.0.113.5/a\r\nX: y",
        "http://[::1/x",
        "http://203.0.113.5:99999/x",
        "http://nowhere.invalid/x",
    ],
)
async def test_a_url_that_leads_inside_or_nowhere_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        await judge(url, DownloadRules())
    assert refused.value.kind == "download_refused"


async def test_the_administrator_names_hosts_or_refuses_some() -> None:
    target = await judge("https://203.0.113.5/a?b=c", DownloadRules())
    assert (target.port, target.path, target.addresses) == (443, "/a?b=c", ("203.0.113.5",))
    assert (await judge("http://127.0.0.1:9/", HERE)).port == 9
    with pytest.raises(Invalid):
        await judge("http://203.0.113.5/", HERE)
    with pytest.raises(Invalid):
        await judge("http://203.0.113.5/", DownloadRules(refused_hosts=("203.0.113.5",)))
    with pytest.raises(Invalid):
        await judge("http://203.0.113.5/", DownloadRules(schemes=("https",)))


async def test_bytes_come_with_a_length_in_chunks_or_until_the_end() -> None:
    chunks = b"".join(b"%x;a=b\r\n%s\r\n" % (len(part), part) for part in (BODY[:100], BODY[100:])) + b"0\r\n\r\n"
    answers = {
        "/length": ok(BODY),
        "/chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks,
        "/end": b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
        "/moved": b"HTTP/1.1 302 Found\r\nLocation: /length\r\n\r\n",
        "/empty": ok(b""),
    }
    async with a_web(answers) as web:
        for path in ("/length", "/chunks", "/end", "/moved"):
            assert await got(web + path) == BODY, path
        assert await got(f"{web}/empty") == b""


async def test_a_redirect_is_judged_like_the_first_url() -> None:
    inside = b"HTTP/1.1 301 Moved\r\nLocation: http://169.254.169.254/secret\r\n\r\n"
    round_and_round = b"HTTP/1.1 307 Moved\r\nLocation: /round\r\n\r\n"
    async with a_web({"/inside": inside, "/round": round_and_round}) as web:
        with pytest.raises(Invalid):
            await got(f"{web}/inside")
        with pytest.raises(Failed, match="redirects"):
            await got(f"{web}/round")


@pytest.mark.parametrize(
    ("rules", "url", "fits"),
    [
        ({"schemes": ()}, "http://203.0.113.5/x", True),
        ({"schemes": (), "refused_schemes": ("http",)}, "http://203.0.113.5/x", False),
        ({"schemes": ()}, "ftp://203.0.113.5/x", False),
        ({"refused_schemes": ("http",)}, "http://203.0.113.5/x", True),
        ({"ports": ()}, "http://203.0.113.5:8080/x", True),
        ({"ports": (), "refused_ports": (8080,)}, "http://203.0.113.5:8080/x", False),
        ({"refused_ports": (80,)}, "http://203.0.113.5:80/x", True),
        ({"refused_hosts": ("203.0.113.5",)}, "http://203.0.113.5/x", False),
        ({"hosts": ("203.0.113.5",), "refused_hosts": ("203.0.113.5",)}, "http://203.0.113.5/x", True),
    ],
)
async def test_what_is_refused_counts_where_nothing_is_allowed_by_name(
    rules: dict[str, Any], url: str, fits: bool
) -> None:
    with nullcontext() if fits else pytest.raises(Invalid, match="not allowed"):
        assert (await judge(url, DownloadRules(**rules))).url == url


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", "broke off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123", "broke off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n123", "HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n", "HTTP"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "HTTP"),
        (b"HTTP/1.1 500 Oh\r\n\r\n", "500"),
        (b"", "broke off"),
    ],
)
async def test_an_answer_that_is_cut_off_or_no_answer_fails(answer: bytes, words: str) -> None:
    async with a_web({"/": answer}) as web:
        with pytest.raises(Failed, match=words):
            await got(f"{web}/")


async def test_a_server_that_is_not_there_fails() -> None:
    async with a_web({}) as web:
        gone = web
    with pytest.raises(Failed, match="broke off"):
        await got(f"{gone}/")
