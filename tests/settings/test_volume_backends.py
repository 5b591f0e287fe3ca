"""The setting of further storage backends: what it may say, and what it refuses."""

from pathlib import Path

import pytest

from minicloud.base.errors import Invalid
from minicloud.settings import VolumeBackend, load
from minicloud.settings.volume_backends import read


def test_a_backend_has_a_name_and_may_have_a_size_and_a_folder() -> None:
    assert read("", "/data") == []
    assert read("fast, slow:100=/mnt/slow,old=disks/old", "/data") == [
        VolumeBackend(name="fast"),
        VolumeBackend(name="slow", size_gb=100, folder=Path("/mnt/slow")),
        VolumeBackend(name="old", folder=Path("/data/disks/old")),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("fast,fast", "'fast', but there is a backend of that name already"),
        ("files", "'files', but there is a backend of that name already"),
        ("a/b", "which is not NAME"),
        ("fast:x", "which is not NAME"),
        ("fast:0", "at least 1 GiB"),
        ("a=/mnt,b=/mnt", "the same folder"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_starts(text: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        load({"volume_backends": text, "data": "/data"}, {})
