"""Distils the policies of the real services to a list: names, default checks and the scopes of the tokens they are for.

``python -m tests.support.distil_policies`` writes ``tests/golden/upstream_policies.txt`` from what is installed beside it of
nova, cinder, glance, neutron, keystone and openstack-placement: a line for each policy of each service.
"""

import importlib
from pathlib import Path

TARGET = Path(__file__).parents[1] / "golden" / "upstream_policies.txt"
MODULES = {
    "compute": "nova.policies",
    "volume": "cinder.policies",
    "image": "glance.policies",
    "network": "neutron.conf.policies",
    "identity": "keystone.common.policies",
    "placement": "placement.policies",
}


def main() -> None:
    """Write the list."""
    lines = []
    for service, module in MODULES.items():
        for rule in importlib.import_module(module).list_rules():
            scopes = ", ".join(sorted(rule.scope_types or []))
            lines.append(f"{service} {rule.name}: {rule.check_str or '@'}{f' [{scopes}]' if scopes else ''}\n")
    TARGET.write_text("".join(sorted(lines)))


if __name__ == "__main__":
    main()
