"""The control socket: questions and answers, errors by meaning, private, at any depth of folder."""

import socket
import stat
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from minicloud.base.errors import Conflict, Failed, Invalid, TimedOut, Unavailable
from minicloud.cli import control

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def _double(given: dict[str, Any]) -> Any:
    return {"twice": given["number"] * 2}


async def _refuse(given: dict[str, Any]) -> Any:
    raise Conflict("web is SHUTOFF", kind="state", state="SHUTOFF")


async def _sleep(given: dict[str, Any]) -> Any:
    await anyio.sleep(given["seconds"])


ANSWERS: dict[str, control.Answer] = {"double": _double, "refuse": _refuse, "sleep": _sleep}


async def ask(path: Path, word: str, **given: Any) -> Any:
    return await anyio.to_thread.run_sync(partial(control.ask, path, word, **given))


async def test_a_question_is_answered(tmp_path: Path) -> None:
    async with control.serving(tmp_path / "control.sock", ANSWERS):
        assert await ask(tmp_path / "control.sock", "double", number=21) == {"twice": 42}


async def test_errors_keep_their_meaning_and_their_facts(tmp_path: Path) -> None:
    async with control.serving(tmp_path / "control.sock", ANSWERS):
        with pytest.raises(Conflict, match="web is SHUTOFF") as refused:
            await ask(tmp_path / "control.sock", "refuse")
    assert refused.value.kind == "state"
    assert refused.value.detail == {"state": "SHUTOFF"}


async def test_an_unknown_question_and_unfit_words_are_refused_and_the_cloud_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with control.serving(path, ANSWERS):
        with pytest.raises(Invalid, match="cannot be asked 'weather'"):
            await ask(path, "weather")
        with pytest.raises(Failed, match="double was asked with unfit words: KeyError 'number'"):
            await ask(path, "double")
        assert await ask(path, "double", number=1) == {"twice": 2}


async def test_rubbish_is_answered_and_silence_is_let_go(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"

    def talk(sent: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            try:
                client.sendall(sent)
                client.shutdown(socket.SHUT_WR)
                return client.makefile("rb").readline()
            except ConnectionError:
                return b""

    async with control.serving(path, ANSWERS):
        assert b"cannot read the question" in await anyio.to_thread.run_sync(talk, b"{]\n")
        assert await anyio.to_thread.run_sync(talk, b"") == b""
        assert await anyio.to_thread.run_sync(talk, b"x" * (2 << 20)) == b""
        assert await ask(path, "double", number=1) == {"twice": 2}


async def test_the_socket_is_its_owners_alone_and_goes_with_the_cloud(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    path.write_text("left by a killed process")
    async with control.serving(path, ANSWERS):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()
    with pytest.raises(Unavailable, match="is it up"):
        await ask(path, "double", number=1)


async def test_a_folder_too_deep_for_a_sockets_address_works(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 100) / ("e" * 100)
    folder.mkdir(parents=True)
    async with control.serving(folder / "control.sock", ANSWERS):
        assert await ask(folder / "control.sock", "double", number=2) == {"twice": 4}


async def test_a_slow_answer_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with control.serving(path, ANSWERS):
        with pytest.raises(TimedOut, match=r"did not answer 'sleep' within 0\.05 s"):
            await ask(path, "sleep", timeout_s=0.05, seconds=0.2)


async def test_whoever_waits_for_long_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(control, "_TELL_EVERY_S", 0.02)
    path = tmp_path / "control.sock"
    async with control.serving(path, ANSWERS):
        assert await ask(path, "sleep", seconds=0.1) is None
    assert "the cloud has not answered 'sleep' yet (0 s)" in capsys.readouterr().err
