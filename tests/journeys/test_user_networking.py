"""Guests on machines that allow less: QEMU's own networking for everybody, and networks in a user namespace for ordinary users."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from minicloud.guest import GuestImage
from tests.support.everyone import python_path
from tests.support.journeys import PATIENCE_S, Journey, a_journey

pytestmark = [
    pytest.mark.journey,
    pytest.mark.qemu,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

READY = "minilinux: ready in"
NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--no-new-privs", "--")


def test_a_guest_on_user_networking(tmp_path: Path, image: GuestImage, cache: Path) -> None:
    with a_journey(tmp_path / "user", cache=cache, driver="qemu", fabric="user", accelerator="tcg") as cloud:
        cloud.up()
        [host] = cloud.facts()["hosts"]
        assert host["fabric"] == "user"
        assert_a_guest_lives(cloud)
        # What keeps two guests apart is a socket each: the second is asked for its own name, not the first's.
        assert_a_guest_lives(cloud, name="two")
        cloud.kill()
        cloud.up()
        assert "Linux web" in cloud.does("minicloud", "ssh", "web", "-i", cloud.home / "key", "--", "uname", "-sn")
        asked = "wget -q -O - http://169.254.169.254/openstack/latest/meta_data.json"
        told = cloud.does("minicloud", "ssh", "two", "-i", cloud.home / "key", "--", asked)
        assert '"two"' in told


@pytest.fixture
def nobodys_home(image: GuestImage) -> Iterator[Path]:
    """A home of the user nobody: minicloud's command in ``bin``, the guest image in its cache. Pytest's folders are closed to others."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user; an ordinary user's networks are tried by the other journeys")
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv not found: apt install util-linux")
    nobody = pwd.getpwnam("nobody")
    home = Path(tempfile.mkdtemp(prefix="mc-nobody-"))
    try:
        home.chmod(0o755)
        _command_for_nobody(home)
        guest = home / ".cache" / "minicloud" / "guest"
        guest.mkdir(parents=True)
        shutil.copytree(image.disk.parent, guest / image.version)
        shutil.copy(image.disk.parent.parent / "current.json", guest)
        for folder, folders, files in os.walk(home):
            for name in (".", *folders, *files):
                os.chown(Path(folder, name), nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
        yield home
    finally:
        shutil.rmtree(home)


def _command_for_nobody(home: Path) -> None:
    """The command on a Python that nobody may run, with the packages of ours: root's own Python often lies in root's home."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    tried = (os.path.realpath(sys.executable), f"/usr/bin/{name}", f"/usr/local/bin/{name}")
    # Through env, as setpriv itself may still run what the user may not.
    usable = [
        each for each in tried if not subprocess.run([*NOBODY, "env", each, "-c", ""], capture_output=True).returncode
    ]
    if not usable:
        pytest.skip(f"the user nobody may run none of {', '.join(tried)}")
    packages = home / "lib" / name / "site-packages"
    for folder in (home / "bin", packages):
        folder.mkdir(parents=True)
    (home / "pyvenv.cfg").write_text(f"home = {Path(usable[0]).parent}\n")
    (home / "bin" / "python").symlink_to(usable[0])
    (packages / "ours.pth").write_text("".join(f"{folder}\n" for folder in python_path()))
    command = home / "bin" / "minicloud"
    command.write_text(f"#!{home}/bin/python\nfrom minicloud.cli import main\nmain()\n")
    command.chmod(0o755)
    seen = subprocess.run([*NOBODY, "env", command, "--version"], capture_output=True, text=True, cwd="/")
    if seen.returncode:
        pytest.skip(f"the user nobody cannot run minicloud of {sys.prefix}: {' '.join(seen.stderr.splitlines()[-1:])}")


@pytest.fixture
def nobody(nobodys_home: Path) -> Iterator[tuple[str, ...]]:
    """The words by which a command is run as nobody, who may open /dev/net/tun, as on every Debian with udev."""
    if os.stat("/dev/net/tun").st_mode & 0o006 == 0o006:
        yield _if_namespaces(NOBODY)
        return
    # Some containers give it to root alone: those who run in this namespace see one that is open to all.
    device = nobodys_home / "tun"
    script = f"mknod -m 0666 {device} c 10 200 && mount --bind {device} /dev/net/tun && echo ready && exec sleep 3600"
    with subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script], stdout=subprocess.PIPE, text=True
    ) as holder:
        try:
            assert holder.stdout is not None
            if holder.stdout.readline().strip() != "ready":
                pytest.skip("/dev/net/tun may not be opened by ordinary users, and no other may be made here")
            yield _if_namespaces(("nsenter", f"--mount=/proc/{holder.pid}/ns/mnt", "--", *NOBODY))
        finally:
            holder.kill()


def _if_namespaces(nobody: tuple[str, ...]) -> tuple[str, ...]:
    tried = subprocess.run(
        [*nobody, "unshare", "--user", "--map-root-user", "--net", "--mount", "true"], capture_output=True, text=True
    )
    if tried.returncode:
        pytest.skip(f"this machine lets ordinary users make no user namespaces: {tried.stderr.strip()}")
    return nobody


def test_a_guest_of_an_ordinary_user(nobodys_home: Path, nobody: tuple[str, ...]) -> None:
    with a_journey(
        nobodys_home, before=nobody, commands=nobodys_home / "bin", driver="qemu", fabric="linux", accelerator="tcg"
    ) as cloud:
        cloud.up()
        assert os.stat(f"/proc/{cloud.pid()}").st_uid == pwd.getpwnam("nobody").pw_uid
        assert "bridges, DHCP and routers in a user namespace" in cloud.run("minicloud", "doctor").stdout
        assert_a_guest_lives(cloud, "10.10.0.")
        before = cloud.guests()
        assert len(before) == 1
        cloud.kill()
        cloud.up()
        assert cloud.guests() == before
        assert "Linux web" in cloud.does("minicloud", "ssh", "web", "-i", cloud.home / "key", "--", "uname", "-sn")


def assert_a_guest_lives(cloud: Journey, address: str = "169.254.", *, name: str = "web") -> None:
    """It boots, has its metadata, and lets its user in by ssh."""
    key = cloud.home / "key"
    if not key.exists():
        cloud.does("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    with cloud.connect() as admin:
        if admin.compute.find_keypair("k") is None:
            admin.compute.create_keypair(name="k", public_key=key.with_suffix(".pub").read_text())
        server = admin.compute.create_server(
            name=name,
            image_id=admin.image.find_image("minilinux", ignore_missing=False).id,
            flavor_id=admin.compute.find_flavor("m1.nano", ignore_missing=False).id,
            networks=[{"uuid": admin.network.find_network("private", ignore_missing=False).id}],
            key_name="k",
        )
        assert admin.compute.wait_for_server(server, interval=0.1, wait=int(PATIENCE_S)).status == "ACTIVE"
    console = cloud.wait_for_console(name, READY)
    for told in (f"address eth0 {address}", "metadata from http", f"hostname {name}", "key installed k"):
        assert f"minilinux: {told}" in console
    assert f"Linux {name}" in cloud.does("minicloud", "ssh", name, "-i", key, "--", "uname", "-sn")
