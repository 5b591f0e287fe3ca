"""The linux fabric: a network namespace per network and per router, as root or in a user namespace. May import ``base`` only."""

from minicloud.drivers.fabric.linux.fabric import LinuxFabric
from minicloud.drivers.fabric.linux.hosts import LinuxHostFabric

__all__ = ["LinuxFabric", "LinuxHostFabric"]
