"""Tests of the guest image: its parts in milliseconds, the built image in real QEMU (marker ``qemu``)."""
