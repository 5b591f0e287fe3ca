"""The hypervisor promise kept by QEMU itself: one process per machine, spoken to over QMP, found again after any death of ours.

``command`` writes command lines, ``process`` starts and watches, ``qmp`` talks, ``plugs`` opens taps, ``probe`` finds out
what the host can do, ``folder`` keeps a machine's files, ``vm`` is one machine, ``driver`` the promise. Runs on asyncio.
"""
