"""What it costs: each file measures one thing beside a floor or a peer in the same run, prints a line and keeps its history.

``python -m bench`` runs all, ``python -m bench boot_storm`` one. The floor is what nobody could be faster than here: the same
requests answered by a bare Starlette application, the same commits made by bare sqlite, the bare qemu command line of the same
guest. The peer's figures (a real OpenStack on such a machine) stand in the table of ``peer.py``.
"""
