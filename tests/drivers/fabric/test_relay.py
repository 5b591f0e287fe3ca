"""The relay between a program's stdin and stdout and a socket: bytes both ways, and who ends when."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from minicloud.drivers.fabric import relay

LIMIT_S = 30


@pytest.fixture
def there() -> Iterator[socket.socket]:
    """Somebody who listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(LIMIT_S)
        yield listening


def started(there: socket.socket) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-I", "-S", relay.__file__, "tcp", *map(str, there.getsockname())]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_the_end_of_what_is_sent_is_passed_on_and_the_answer_still_comes(there: socket.socket) -> None:
    with started(there) as program:
        guest, _ = there.accept()
        assert program.stdin is not None
        program.stdin.write(b"question")
        program.stdin.close()
        with guest:
            asked = b""
            while more := guest.recv(100):
                asked += more
            assert asked == b"question"
            guest.sendall(b"answer")
        assert program.stdout is not None
        assert program.stdout.read() == b"answer"
        assert program.wait(LIMIT_S) == 0


def test_it_ends_with_whoever_used_it_though_the_other_side_says_nothing(there: socket.socket) -> None:
    with started(there) as program:
        guest, _ = there.accept()
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.close()
        program.stdout.close()
        with guest:
            assert program.wait(LIMIT_S) == 0


def test_nobody_there(there: socket.socket) -> None:
    where = there.getsockname()
    there.close()
    done = subprocess.run(
        [sys.executable, "-I", "-S", relay.__file__, "tcp", *map(str, where)], capture_output=True, timeout=LIMIT_S
    )
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"cannot reach" in done.stderr
