"""Reading what apt says, and saying what is missing."""

import pytest

from minicloud.base.errors import ToolMissing, Unavailable
from minicloud.guest.packages import PROGRAMS, files_in, install_hint, kernel_of, libraries_in, need_tools, needs_in

SHOWN = """\
Package: linux-image-cloud-amd64
Version: 6.1.192-2
Depends: linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)
Description-en: Linux image (meta-package)
"""

URIS = """\
'http://deb.example/e/e2fsprogs_1.47.0-2+b2_amd64.deb' e2fsprogs_1.47.0-2+b2_amd64.deb 571920 SHA256:aa
'http://deb.example/z/zlib1g_1.2.13_amd64.deb' zlib1g_1%3a1.2.13_amd64.deb 86684 SHA256:bb
"""


def test_the_kernel_is_the_one_that_the_meta_package_stands_for() -> None:
    assert kernel_of(SHOWN) == "linux-image-6.1.0-56-cloud-amd64"
    assert kernel_of("Depends: initramfs-tools, linux-image-6.12.1-cloud-amd64") == "linux-image-6.12.1-cloud-amd64"


def test_a_meta_package_without_a_kernel_is_an_error_with_advice() -> None:
    with pytest.raises(Unavailable, match="apt-get update"):
        kernel_of("Package: linux-image-cloud-amd64\nDepends: something\n")


def test_files_are_listed_by_package() -> None:
    assert files_in(URIS) == {
        "e2fsprogs": "e2fsprogs_1.47.0-2+b2_amd64.deb",
        "zlib1g": "zlib1g_1%3a1.2.13_amd64.deb",
    }


def test_only_libraries_are_taken_from_the_dependencies() -> None:
    text = "dropbear-bin\n  Depends: libc6\nlibc6\n  Depends: libgcc-s1\nlogsave\nzlib1g\n<perl:any>\n"
    assert libraries_in(text) == ["libc6", "zlib1g"]


def test_everything_missing_is_told_in_one_line() -> None:
    need_tools([])
    with pytest.raises(ToolMissing) as caught:
        need_tools(["apt-cache", "apt-get", "qemu-img"])
    assert caught.value.message == (
        "the guest image cannot be built without apt-cache, apt-get, qemu-img: apt install apt qemu-utils"
    )
    assert caught.value.detail == {"missing": ["apt-cache", "apt-get", "qemu-img"]}


def test_every_program_has_a_package_to_name() -> None:
    assert install_hint(PROGRAMS) == "apt install apt dpkg qemu-utils"


def test_a_package_brings_the_libraries_that_it_names_itself() -> None:
    text = "agent\n  PreDepends: init-helpers\n  Depends: libglib2.0-0\n  Depends: perl\n |Depends: libother\n  Suggests: libmore\n"
    assert needs_in(text) == ["libglib2.0-0"]
