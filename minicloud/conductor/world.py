"""The world as sagas and reconcilers see it: the database, the hosts, who is alive, and the rules of placing."""

from collections.abc import Mapping

import msgspec

from minicloud.agent.calls import Agents
from minicloud.agent.volume_calls import Backends
from minicloud.conductor.network.wiring import Wiring
from minicloud.core.compute.descriptions import NO_LAB, HostDescription, Lab
from minicloud.core.compute.disk_rules import ANY, DiskRules
from minicloud.core.image.options import ImageOptions
from minicloud.core.placement.index import Placement
from minicloud.core.scheduler.hosts import KnownHosts
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.engines.blobs import Blobs
from minicloud.engines.database import Database
from minicloud.engines.servicegroup import ServiceGroup


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Settings that steps act by. Times in seconds."""

    shutdown_timeout: float = 60.0
    cpu_allocation_ratio: float = 16.0
    ram_allocation_ratio: float = 1.0
    disk_allocation_ratio: float = 1.0
    reserved_host_memory_mb: int = 512
    allow_resize_to_same_host: bool = True
    resize_confirm_window: float = 0.0
    shelved_offload_time: float = 0.0
    reclaim_instance_interval: float = 0.0
    randomize_allocation_candidates: bool = False
    disks: DiskRules = ANY


class World(msgspec.Struct, frozen=True, kw_only=True):
    """What steps reach out with."""

    database: Database
    agents: Agents
    backends: Backends
    servicegroup: ServiceGroup
    blobs: Blobs
    wiring: Wiring
    placement: Placement
    scheduler: SchedulerOptions = SchedulerOptions()
    known_hosts: KnownHosts = msgspec.field(default_factory=KnownHosts)
    options: Options = Options()
    image: ImageOptions = ImageOptions()
    lab: Lab = NO_LAB
    hosts_described: Mapping[str, HostDescription] = {}
