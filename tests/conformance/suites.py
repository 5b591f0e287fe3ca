"""The suites there are, and where each one's tests and its ledger of known failures are."""

from pathlib import Path

import msgspec

from minicloud.core.scheduler.options import DEFAULT_FILTERS

LEDGERS = Path(__file__).parent / "ledger"


class Suite(msgspec.Struct, frozen=True):
    """A suite: what it is called, the program that runs it, which of its tests are meant, and settings of its cloud."""

    name: str
    runner: str
    tests: str
    settings: dict[str, int | str] = {}

    @property
    def ledger(self) -> Path:
        """Its list of known failures."""
        return LEDGERS / f"{self.name}.txt"


SDK = {
    "identity": ("identity", "cloud.test_identity"),
    "compute": (
        "compute",
        "cloud.test_compute",
        "cloud.test_inventory",
        "cloud.test_meta",
        "cloud.test_project_cleanup",
    ),
    "image": ("image", "cloud.test_image"),
    "network": ("network", "cloud.test_network"),
    "volume": ("block_storage", "cloud.test_block_storage"),
    "placement": ("placement",),
}
"""Which of openstacksdk's functional tests concern which service."""

CLIENTS = ("cinderclient", "glanceclient", "keystoneclient", "novaclient", "openstackclient")
"""Clients whose functional tests come with them."""

SUITES = {
    suite.name: suite
    for suite in (
        Suite(
            "identity",
            "tempest",
            r"^tempest\.api\.identity\.",
            {"lockout_failure_attempts": 3, "lockout_duration": 3, "unique_last_password_count": 3},
        ),
        Suite(
            "compute",
            "tempest",
            r"^tempest\.api\.compute\.",
            # As DevStack has them: upstream's filters, and two that its tests ask for.
            # Guests take a moment to move, so that a move can be hurried.
            {
                "hosts": 2,
                "fake_move_seconds": 2,
                "enabled_filters": ",".join([*DEFAULT_FILTERS, "SameHostFilter", "DifferentHostFilter"]),
            },
        ),
        Suite(
            "image",
            "tempest",
            r"^tempest\.api\.image\.",
            {"import_allowed_hosts": "127.0.0.1", "import_allowed_ports": ""},
        ),
        Suite("network", "tempest", r"^tempest\.api\.network\."),
        # What Neutron's own gate runs, beyond Tempest's share.
        Suite("neutron", "neutron", r"^neutron_tempest_plugin\.api\."),
        Suite("volume", "tempest", r"^tempest\.api\.volume\."),
        Suite("placement", "gabbi", ""),
        # A guest is on its way for as long as the suite runs, here and below, so that its migration is there to be shown.
        Suite("nova-schemas", "schemas", "", {"hosts": 2, "fake_move_seconds": 3600}),
        Suite("osc-placement", "osc-placement", ""),
        Suite("ansible", "ansible", "", {"hosts": 2}),
        Suite("libcloud", "libcloud", ""),
        Suite("horizon", "horizon", "", {"hosts": 2, "fake_move_seconds": 3600}),
        Suite("cloud-init", "cloud-init", "", {"driver": "qemu"}),
        Suite(
            "gophercloud",
            "go",
            "blockstorage compute identity/v3 imageservice networking placement",
            {"hosts": 2},
        ),
        *(
            Suite(f"sdk-{name}", "sdk", " ".join(f"openstack.tests.functional.{part}" for part in parts))
            for name, parts in SDK.items()
        ),
        *(Suite(name, "clients", f"{name}.tests.functional") for name in CLIENTS),
    )
}
