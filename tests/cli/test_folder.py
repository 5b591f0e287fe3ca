"""The data folder: private, one process at a time, never mixed with other things."""

import os
import stat
from pathlib import Path

import pytest

from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.cli.folder import FACTS, LOCK, PID, Folder, Running


def facts(**changes: object) -> Running:
    known = {
        "pid": os.getpid(),
        "url": "http://127.0.0.1:5000",
        "listen": "127.0.0.1",
        "port": 5000,
        "started_at": 1.0,
        "version": "0.1.0",
        "settings": {"port": 5000},
    }
    return Running(**{**known, **changes})  # type: ignore[arg-type]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "deep" / "cloud"))
    folder.prepare()
    assert mode(folder.path) == 0o700


def test_a_folder_that_others_may_read_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Folder(str(tmp_path)).prepare()
    assert mode(tmp_path) == 0o700


def test_a_folder_with_other_things_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("words")
    tmp_path.chmod(0o755)
    with pytest.raises(Invalid, match=r"holds other things \(thesis\.tex\)"):
        Folder(str(tmp_path)).prepare()
    assert mode(tmp_path) == 0o755


def test_a_folder_with_settings_only_may_become_a_cloud(tmp_path: Path) -> None:
    (tmp_path / "minicloud.toml").write_text("hosts = 2")
    Folder(str(tmp_path)).prepare()


def test_the_lock_names_its_holder_and_goes_with_it(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    assert not folder.locked()
    lock = folder.lock()
    assert folder.locked()
    assert folder.file(PID).read_text() == f"{os.getpid()}\n"
    assert mode(folder.file(LOCK)) == mode(folder.file(PID)) == 0o600
    os.close(lock)
    assert not folder.locked()


def test_a_second_process_is_told_who_has_the_folder_and_where_it_answers(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    lock = folder.lock()
    folder.announce(facts(url="http://127.0.0.1:1234"))
    with pytest.raises(Conflict, match=rf"in use by process {os.getpid()} at http://127\.0\.0\.1:1234: stop it with"):
        Folder(str(tmp_path)).lock()
    os.close(lock)


def test_looking_at_a_folder_does_not_keep_a_cloud_from_starting(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    os.close(folder.lock())
    for _ in range(50):
        assert not folder.locked()
    os.close(folder.lock())


def test_facts_of_a_cloud_that_was_killed_are_not_believed(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    lock = folder.lock()
    folder.announce(facts())
    assert folder.need_running() == facts()
    assert mode(folder.file(FACTS)) == 0o600
    os.close(lock)
    assert folder.running() is None
    with pytest.raises(NotFound, match=r"no cloud is up in .*: start it with `minicloud up --data "):
        folder.need_running()


def test_a_cloud_that_stopped_leaves_no_facts(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    lock = folder.lock()
    folder.announce(facts())
    folder.withdraw()
    os.close(lock)
    assert {path.name for path in tmp_path.iterdir()} == {LOCK}
