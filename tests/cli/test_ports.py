"""The port of the APIs: a free one, a taken one with its holder's name, addresses for clients."""

import os
import socket

import pytest

from minicloud.base.errors import Conflict, Invalid, Unavailable
from minicloud.cli import ports


def test_port_zero_takes_a_free_one() -> None:
    with ports.listening(ports.take("127.0.0.1", 0)) as bound:
        assert bound.getsockname()[1] > 0


def test_a_taken_port_names_its_holder_and_the_way_out() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Conflict) as refused:
            ports.take("127.0.0.1", port)
    assert f"port {port} is taken by " in refused.value.message
    assert f"(process {os.getpid()})" in refused.value.message
    assert "--port 0" in refused.value.message


def test_nobody_holds_a_free_port() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        free = other.getsockname()[1]
    assert ports.holder(free) is None


def test_an_address_of_another_machine_is_refused_with_advice() -> None:
    with pytest.raises(Unavailable, match=r"cannot listen on 192\.0\.2\.1 port 0: .*--listen"):
        ports.take("192.0.2.1", 0)


def test_a_name_that_means_nothing_is_refused() -> None:
    with pytest.raises(Invalid, match=r"--listen no\.such\.invalid"):
        ports.take("no.such.invalid", 0)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_out_of_range_is_refused(port: int) -> None:
    with pytest.raises(Invalid, match="between 0 and 65535"):
        ports.take("127.0.0.1", port)


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:5000"),
        ("0.0.0.0", "http://127.0.0.1:5000"),
        ("::", "http://[::1]:5000"),
        ("::1", "http://[::1]:5000"),
        ("cloud.example", "http://cloud.example:5000"),
    ],
)
def test_clients_get_an_address_that_they_can_reach(listen: str, url: str) -> None:
    assert ports.url(listen, 5000) == url
