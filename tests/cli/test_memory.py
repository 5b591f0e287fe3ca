"""Memory of the process that a cloud lives in: what a password was hashed in goes back, what stays is not searched again."""

import subprocess
import sys
from pathlib import Path

import pytest

HASHING = """
from threading import Thread
from minicloud.api.identity.passwords import Passwords
from minicloud.cli import memory

def resident():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS:")).split()[1])

memory.give_big_blocks_back()
passwords = Passwords()
passwords.hash_now("warm")
before = resident()
for _ in range(3):
    thread = Thread(target=passwords.hash_now, args=("secret",))
    thread.start()
    thread.join()
print(resident() - before)
"""
COLLECTING = """
import gc
from minicloud.cli import memory

memory.starting()
assert not gc.isenabled()
memory.up()
print(gc.isenabled(), gc.get_freeze_count() > 1000, len(gc.get_objects()) < 1000, gc.get_threshold()[0] > 10_000)
"""


def told(program: str) -> str:
    """What a Python of its own prints, as both last as long as a process."""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells how much memory a process has")
def test_what_passwords_were_hashed_in_is_given_back() -> None:
    assert int(told(HASHING)) < 4_096


def test_a_cloud_that_is_up_looks_for_garbage_outside_of_what_it_is_made_of() -> None:
    assert told(COLLECTING) == "True True True True"
