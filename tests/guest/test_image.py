"""The manifest: found again at once, and never trusted when something is missing or has changed."""

from pathlib import Path

from minicloud.guest.image import Current, complete, image_of, read_current, recipe_of, version_of, write_current

PACKAGES = {"busybox-static": "busybox-static_1_amd64.deb", "e2fsprogs": "e2fsprogs_2_amd64.deb"}


def test_the_version_follows_every_input() -> None:
    version = version_of("recipe", PACKAGES)
    assert version == version_of("recipe", dict(reversed(PACKAGES.items())))
    assert version != version_of("another", PACKAGES)
    assert version != version_of("recipe", {**PACKAGES, "e2fsprogs": "e2fsprogs_3_amd64.deb"})
    assert len(version) == 12


def test_the_recipe_follows_every_file(tmp_path: Path) -> None:
    (tmp_path / "init").mkdir()
    (tmp_path / "init" / "boot").write_text("one")
    before = recipe_of(tmp_path)
    assert recipe_of(tmp_path) == before
    (tmp_path / "init" / "boot").write_text("two")
    changed = recipe_of(tmp_path)
    assert changed != before
    (tmp_path / "init" / "boot").rename(tmp_path / "init" / "other")
    assert recipe_of(tmp_path) not in (before, changed)


def test_a_compiled_file_is_no_part_of_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1")
    before = recipe_of(tmp_path)
    (tmp_path / "a.pyc").write_bytes(b"anything")
    assert recipe_of(tmp_path) == before


def test_a_manifest_is_read_back(tmp_path: Path) -> None:
    assert read_current(tmp_path) is None
    current = Current("abc", "recipe", PACKAGES)
    write_current(tmp_path, current)
    assert read_current(tmp_path) == current
    assert [path.name for path in tmp_path.iterdir()] == ["current.json"]
    assert (tmp_path / "current.json").stat().st_mode & 0o777 == 0o600


def test_a_broken_manifest_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "current.json").write_text('{"version": 7')
    assert read_current(tmp_path) is None
    (tmp_path / "current.json").write_text('{"version": 7}')
    assert read_current(tmp_path) is None


def test_an_image_is_complete_only_with_all_its_files(tmp_path: Path) -> None:
    image = image_of(tmp_path, "v")
    for path in (image.disk, image.kernel, image.ramdisk, image.boot_ramdisk, image.root):
        assert not complete(image)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    assert complete(image)
    assert image.properties["hw_rng_model"] == "virtio"
    assert image.disk.is_absolute()
