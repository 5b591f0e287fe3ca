"""Passwords: checked in a thread, remembered under a key of the process, and as slow for nobody as for somebody."""

import pytest
from anyio import to_thread

from minicloud.api.identity.passwords import LARGEST_CACHE, Passwords

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Real threads, and so real time."""
    return "asyncio"


async def test_only_the_password_itself_opens() -> None:
    for passwords in (Passwords("cheap"), Passwords("normal")):
        hash_ = await passwords.hash("right")
        assert hash_.startswith("$argon2id$")
        assert await passwords.verify("u", hash_, "right")
        assert await passwords.verify("u", hash_, "right")
        assert not await passwords.verify("u", hash_, "wrong")
        assert not await passwords.verify("u", hash_, "")
        assert not await passwords.verify("u", "no hash at all", "right")
        assert not await passwords.verify("u", None, "right")
        assert not await passwords.verify(None, None, "right")


async def test_what_is_remembered_is_of_one_user_one_hash_and_one_password() -> None:
    passwords = Passwords("cheap")
    old, new = await passwords.hash("old"), await passwords.hash("new")
    assert await passwords.verify("u", old, "old")
    assert not await passwords.verify("u", new, "old")
    assert not await passwords.verify("u", old, "new")
    assert not await passwords.verify("uold", old.removeprefix("$"), "old")
    assert b"old" not in b"".join(passwords._known)


async def test_a_hash_made_beside_other_work_is_like_any_other() -> None:
    for passwords in (Passwords("cheap"), Passwords("normal")):
        hash_ = await to_thread.run_sync(passwords.hash_beside("right").result)
        assert await passwords.verify("u", hash_, "right")
        assert not await passwords.verify("u", hash_, "wrong")


async def test_whoever_made_a_hash_may_say_which_password_it_is_of() -> None:
    passwords = Passwords("normal")
    passwords.remember("u", "the hash", "right")
    assert await passwords.verify("u", "the hash", "right")


async def test_memory_of_checks_is_bounded() -> None:
    passwords = Passwords("cheap")
    hash_ = await passwords.hash("right")
    for user in range(LARGEST_CACHE + 5):
        assert await passwords.verify(str(user), hash_, "right")
    assert len(passwords._known) == LARGEST_CACHE


class Counting(Passwords):
    """Writes down at which cost hashes were computed."""

    computed: list[str]

    def _matches(self, password_hash: str, password: str) -> bool:
        self.computed.append(password_hash.rsplit("$", 2)[0])
        return super()._matches(password_hash, password)


async def test_the_second_time_costs_nothing_and_nobody_costs_as_much_as_a_wrong_password() -> None:
    passwords = Counting("normal")
    passwords.computed = []
    hash_ = await passwords.hash("right")
    cost = hash_.rsplit("$", 2)[0]
    assert "m=19456,t=2,p=1" in cost
    assert not await passwords.verify("u", hash_, "wrong")
    assert not await passwords.verify("u", None, "wrong")
    assert not await passwords.verify(None, None, "wrong")
    assert passwords.computed == [cost, cost, cost]
    assert await passwords.verify("u", hash_, "right")
    assert await passwords.verify("u", hash_, "right")
    assert passwords.computed == [cost, cost, cost, cost]
