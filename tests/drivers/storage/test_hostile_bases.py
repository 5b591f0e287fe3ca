"""A corpus of hostile images at a host that got hold of one: refused while it arrives, before any program opens it."""

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from minicloud.base import trace
from minicloud.base.errors import Invalid
from minicloud.drivers.statelog import StateLog
from minicloud.drivers.storage import Fetch, Storage
from minicloud.drivers.storage.fake import FakeStorage
from minicloud.drivers.storage.files import FilesStorage
from tests.support.hostile_images import HOSTILE

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def stream(content: bytes) -> Fetch:
    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(content), 65536):
            yield content[at : at + 65536]

    return chunks


def left_in(folder: Path) -> list[str]:
    return os.listdir(folder) if folder.is_dir() else []


@pytest.mark.parametrize("kind", ["files", "fake"])
async def test_no_hostile_image_reaches_a_program(kind: str, tmp_path: Path) -> None:
    storage: Storage = FilesStorage(tmp_path) if kind == "files" else FakeStorage(StateLog(None), "host-1")
    notes = trace.Recording()
    with trace.recording(notes):
        for hostile in HOSTILE:
            checksum = hashlib.sha512(hostile.content).hexdigest()
            with pytest.raises(Invalid, match=hostile.why):
                await storage.ensure_base(checksum, hostile.declared, stream(hostile.content))
    assert notes.facts("command") == []
    assert await storage.bases() == []
    assert left_in(tmp_path / "_base") == []
