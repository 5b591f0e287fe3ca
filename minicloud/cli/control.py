"""The control socket of a running cloud: commands ask, the cloud answers; one JSON line each way, for the owner of the folder alone."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from minicloud.base.errors import CloudError, ErrorFacts, Failed, Invalid, TimedOut, Unavailable, from_facts, to_facts

Answer = Callable[[dict[str, Any]], Awaitable[Any]]
"""Takes what was given with the question; what it returns must be encodable. Raises CloudError, which reaches whoever asked."""

_LARGEST = 1 << 20
PATIENCE_S = 60.0
"""A machine with much to do answers late."""
_TELL_EVERY_S = 5.0


class Question(msgspec.Struct, frozen=True):
    """What is asked: a word, and what is given with it."""

    ask: str
    given: dict[str, Any] = {}


class Reply(msgspec.Struct, frozen=True):
    """The answer, or the error instead of it."""

    answer: Any = None
    error: ErrorFacts | None = None


@asynccontextmanager
async def serving(path: Path, answers: Mapping[str, Answer]) -> AsyncIterator[None]:
    """While inside, questions are answered at this path."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            if line:
                writer.write(msgspec.json.encode(await _reply(line, answers), enc_hook=str) + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError, asyncio.LimitOverrunError):
            pass  # whoever asked has gone, or asked for too much: nobody is left to tell
        finally:
            writer.close()

    server = await asyncio.start_unix_server(talk, sock=_bound(path), limit=_LARGEST)
    try:
        yield
    finally:
        server.close()
        _remove(path)


def ask(path: Path, word: str, *, timeout_s: float = PATIENCE_S, **given: Any) -> Any:
    """Ask a running cloud, and wait for its answer; whoever waits for long is told so.

    Raises:
        Unavailable: nobody listens there.
        TimedOut: it did not answer in time.
        CloudError: whatever the cloud answered.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(timeout_s)
        try:
            with _short(path) as short:
                client.connect(short)
            client.sendall(msgspec.json.encode(Question(word, given)) + b"\n")
            line = _answered(client, word, timeout_s)
        except TimeoutError as error:
            raise TimedOut(
                f"the cloud did not answer {word!r} within {timeout_s:g} s: look at minicloud.log"
            ) from error
        except OSError as error:
            raise Unavailable(f"the cloud cannot be asked at {path} ({error.strerror}): is it up?") from error
    if not line:
        raise Unavailable(f"the cloud stopped before it answered {word!r}")
    reply = msgspec.json.decode(line, type=Reply)
    if reply.error is not None:
        raise from_facts(reply.error)
    return reply.answer


def _answered(client: socket.socket, word: str, timeout_s: float) -> bytes:
    """All that comes until the other end closes. Raises TimeoutError."""
    began = told = time.monotonic()
    parts: list[bytes] = []
    while True:
        now = time.monotonic()
        left = began + timeout_s - now
        if left <= 0:
            raise TimeoutError
        if now - told >= _TELL_EVERY_S:
            told = now
            print(f"  the cloud has not answered {word!r} yet ({now - began:.0f} s)", file=sys.stderr, flush=True)
        client.settimeout(min(left, _TELL_EVERY_S))
        try:
            part = client.recv(1 << 16)
        except TimeoutError:
            continue
        if not part:
            return b"".join(parts)
        parts.append(part)


async def _reply(line: bytes, answers: Mapping[str, Answer]) -> Reply:
    try:
        question = msgspec.json.decode(line, type=Question)
    except msgspec.DecodeError as error:
        return Reply(error=to_facts(Invalid(f"cannot read the question: {error}")))
    answer = answers.get(question.ask)
    if answer is None:
        return Reply(error=to_facts(Invalid(f"this cloud cannot be asked {question.ask!r}: is it of another version?")))
    try:
        return Reply(answer=msgspec.to_builtins(await answer(question.given), enc_hook=str, str_keys=True))
    except CloudError as error:
        return Reply(error=to_facts(error))
    except (KeyError, TypeError, ValueError) as error:
        return Reply(
            error=to_facts(Failed(f"{question.ask} was asked with unfit words: {type(error).__name__} {error}"))
        )


def _bound(path: Path) -> socket.socket:
    """A socket at the path, for this user alone: nobody can connect before it listens, which comes after."""
    _remove(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _short(path) as short:
        bound.bind(short)
    path.chmod(0o600)
    return bound


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """The path in a form that fits into a socket's address, which holds 107 bytes, however deep the folder lies."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
