"""minicloud: a whole cloud in one asyncio process, speaking the OpenStack APIs and starting real virtual machines."""

__version__ = "0.1.0"
