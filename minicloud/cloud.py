"""Builds every part of a cloud from its settings and holds them open together: the only file that knows all the others."""

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec

from minicloud.agent import calls, volume_calls
from minicloud.agent.calls import Agents
from minicloud.agent.compute import HostAgent, metadata_answerer
from minicloud.agent.volume import BackendAgent
from minicloud.api.app import Api
from minicloud.api.auth import Authenticator
from minicloud.api.call import Means
from minicloud.api.cors import Cors
from minicloud.api.identity.passwords import Passwords
from minicloud.api.metadata import service as metadata_api
from minicloud.base import trace
from minicloud.base.clock import Clock, SystemClock
from minicloud.base.ids import Ids, RandomIds
from minicloud.base.trace_file import TraceFile
from minicloud.conductor import host_reports
from minicloud.conductor.executor import Executor
from minicloud.conductor.network.wiring import Wiring
from minicloud.conductor.recovery import recover
from minicloud.conductor.world import World
from minicloud.core import unified_limits
from minicloud.core.placement.index import Placement
from minicloud.drivers.fabric import Fabric
from minicloud.drivers.hypervisor.fake import FakeWorld
from minicloud.engines.blobs import Blobs
from minicloud.engines.blobs.directory import DirectoryBlobs
from minicloud.engines.blobs.memory import MemoryBlobs
from minicloud.engines.messaging.inprocess import InProcess
from minicloud.engines.servicegroup.database import DatabaseServiceGroup
from minicloud.first_start import (
    CONTROL_HOST,
    CONTROL_SERVICES,
    ensure_guest_image,
    prepare_folder,
    write_records,
)
from minicloud.operations import seeds
from minicloud.options import image_options_of, options_of, scheduler_options_of
from minicloud.products import best_driver, hosts_of, lab_of, open_database
from minicloud.reconcilers.loop import Loop, Mending
from minicloud.repairs import reconcilers as reconcilers
from minicloud.sagas import SAGAS as SAGAS
from minicloud.services import policy_of as policy_of
from minicloud.services import policy_overrides as policy_overrides
from minicloud.services import services as services
from minicloud.settings import Settings

Progress = Callable[[str], None]
STARTING_AT_ONCE = 256
"""Hosts that register side by side: enough to share commits, fewer than the control side's queue holds."""


class Cloud:
    """A running cloud."""

    def __init__(
        self,
        *,
        settings: Settings,
        api: Api,
        world: World,
        executor: Executor,
        reconcilers: Loop,
        sink: trace.Sink,
        trace_file: TraceFile | None,
        agents: dict[str, HostAgent],
        backends: list[BackendAgent],
        fabrics: list[Fabric],
        fake: FakeWorld | None,
        driver: str,
    ) -> None:
        self.settings = settings
        self.api = api
        self.application: Api | Cors = api
        origins = [origin.strip() for origin in settings.cors_allowed_origins.split(",") if origin.strip()]
        if origins:
            self.application = Cors(api, origins)
        self.world = world
        self.executor = executor
        self.reconcilers = reconcilers
        self.sink = sink
        self.trace_file = trace_file
        self.agents = agents
        self.backends = backends
        self.fabrics = fabrics
        self.fake = fake
        self.driver = driver

    @property
    def admin_password(self) -> str:
        """The password of the user admin, as this cloud was given or generated it."""
        return self.settings.admin_password

    def reload_policy(self) -> int:
        """Read policy.yaml again; the number of rules that it changes. Raises Invalid, and leaves the rules as they were."""
        overrides = policy_overrides(Path(self.settings.data))
        self.api.means.policy.reload(overrides)
        return len(overrides)

    async def stop_servers(self) -> None:
        """Power off every machine of every host, at once."""
        async with anyio.create_task_group() as tasks:
            for agent in self.agents.values():
                for machine in await agent.hypervisor.machines():
                    tasks.start_soon(_power_off, agent, machine.id)


async def _power_off(agent: HostAgent, machine_id: str) -> None:
    await agent.hypervisor.ensure_shutdown(machine_id, grace_s=0)


@asynccontextmanager
async def open_cloud(
    settings: Settings,
    *,
    progress: Progress = lambda text: None,
    clock: Clock | None = None,
    ids: Ids | None = None,
    sink: trace.Sink | None = None,
) -> AsyncIterator[Cloud]:
    """A cloud, from its data folder to its last agent, for as long as the context is open.

    ``sink`` takes the trace instead of the file in the data folder. Raises CloudError, saying what is missing.
    """
    clock, ids = clock or SystemClock(), ids or RandomIds()
    folder = Path(settings.data)
    changed = False
    if not settings.memory:
        settings, changed = prepare_folder(settings)
    elif not settings.admin_password:
        settings = msgspec.structs.replace(settings, admin_password=secrets.token_urlsafe(12))
    # Before anything is open, so that a rule or a pattern that makes no sense is one clear error.
    passwords = Passwords(settings.password_cost)
    all_services = services(passwords, settings)
    image_options = image_options_of(settings)
    policy = policy_of(all_services, policy_overrides(folder), image_options.protections.policies)
    limited = unified_limits.named(settings.unified_limits)
    if settings.seed:
        seeds.read(settings.seed)
    async with AsyncExitStack() as stack:
        trace_file = None
        if sink is None and settings.memory:
            sink = trace.Latest()
        elif sink is None:
            sink = trace_file = TraceFile(str(folder / "trace.db"), most_notes=settings.trace_notes)
            stack.callback(trace_file.close)
        stack.enter_context(trace.recording(sink))
        hashing = passwords.hash_beside(settings.admin_password) if changed else None
        progress("opening the database")
        database = await open_database(settings, clock, ids)
        stack.push_async_callback(database.close)
        blobs: Blobs = MemoryBlobs() if settings.memory else DirectoryBlobs(str(folder / "blobs"))
        messaging = await stack.enter_async_context(InProcess())
        servicegroup = DatabaseServiceGroup(
            database, report_interval_s=settings.report_interval, service_down_time_s=settings.service_down_time
        )
        lab = lab_of(settings)
        driver = settings.driver if settings.driver != "auto" else "fake" if lab.hosts else best_driver()
        agents_of_hosts = Agents(messaging)
        world = World(
            database=database,
            agents=agents_of_hosts,
            backends=volume_calls.Backends(messaging),
            servicegroup=servicegroup,
            blobs=blobs,
            placement=Placement(),
            # Real guests of all hosts reach each other, by the networks of this process; simulated hosts have a fabric each.
            wiring=Wiring(database, agents_of_hosts, shared=driver == "qemu"),
            options=options_of(settings, driver),
            image=image_options,
            scheduler=scheduler_options_of(settings),
            lab=lab,
            hosts_described=lab.by_name(),
        )
        executor = Executor(world, SAGAS)
        authenticator = Authenticator(database, clock)
        loop = Loop(reconcilers(), Mending(world, executor), clock, interval_s=settings.reconcile_interval)
        world.wiring.carry_by(lambda: loop.poke("network_changes"))
        means = Means(
            database=database,
            executor=executor,
            policy=policy,
            blobs=blobs,
            region=settings.region,
            forget_tokens=authenticator.forget,
            poke=loop.poke,
            patience=settings.patience if settings.patience >= 0 else 0.01 if driver == "fake" else 0.0,
        )
        api = Api(all_services, means, authenticator, sink, public_url=settings.public_url or None)

        async def hear(message: Any) -> Any:
            match message:
                case calls.HostUp():
                    return await host_reports.host_up(world, message)
                case volume_calls.BackendUp():
                    return await host_reports.backend_up(world, message)
                case calls.PowerChanged():
                    return await host_reports.power_changed(world, message)
                case calls.MetadataAsked():
                    return await _metadata(world, message.request)
                case _:
                    raise TypeError(f"Nobody told the control side of {type(message).__name__}")

        await stack.enter_async_context(
            messaging.listen(
                calls.CONTROL,
                host=calls.CONTROL,
                messages=(*calls.TO_CONTROL, volume_calls.BackendUp),
                handler=hear,
                concurrency=256,
            )
        )
        progress("writing down what every cloud has")
        for key in await write_records(database, settings, passwords, hashing, limited):
            await blobs.delete(key)
        count = len(lab.by_name()) or settings.hosts
        progress(f"starting {count} {driver} host{'s' if count > 1 else ''}")
        hosts_of_cloud, backends, fake = await hosts_of(settings, driver, folder, blobs, messaging, servicegroup, lab)
        fabrics = list({id(agent.fabric): agent.fabric for agent in hosts_of_cloud}.values())
        for fabric in fabrics:
            await fabric.open(metadata_answerer(messaging, CONTROL_HOST))
            stack.push_async_callback(fabric.close)
        await servicegroup.join(*(f"{binary}@{CONTROL_HOST}" for binary in CONTROL_SERVICES))
        await _start_all(stack, [*hosts_of_cloud, *backends])
        # Entered after the hosts and so left before them: a saga is stopped where it stands, not failed by a host that went.
        await stack.enter_async_context(executor)
        tasks = await stack.enter_async_context(_background())
        tasks.start_soon(servicegroup.run)
        await servicegroup.look()
        await recover(executor)
        await ensure_guest_image(executor, database, settings, driver)
        if settings.seed:
            progress(f"planting {settings.seed}")
            await seeds.plant(settings.seed, database, executor, passwords)
        tasks.start_soon(loop.run)
        cloud = Cloud(
            settings=settings,
            api=api,
            world=world,
            executor=executor,
            reconcilers=loop,
            sink=sink,
            trace_file=trace_file,
            agents={agent.host: agent for agent in hosts_of_cloud},
            backends=backends,
            fabrics=fabrics,
            fake=fake,
            driver=driver,
        )
        yield cloud
        if settings.stop_servers:
            await cloud.stop_servers()


async def _metadata(world: World, request: calls.MetadataRequest) -> calls.MetadataReply:
    """A guest's question, from the words of the hosts to those of the API and back."""
    caller = request.caller
    told = await metadata_api.answer(
        world,
        metadata_api.Asked(
            path=request.path,
            method=request.method,
            address=caller.address,
            network_id=caller.network_id,
            router_id=caller.router_id,
            port_id=caller.port_id,
            body=request.body,
        ),
    )
    return calls.MetadataReply(status=told.status, content_type=told.content_type, body=told.body)


@asynccontextmanager
async def _background() -> AsyncIterator[anyio.abc.TaskGroup]:
    """Work that goes on until the cloud stops."""
    async with anyio.create_task_group() as tasks:
        yield tasks
        tasks.cancel_scope.cancel()


async def _start_all(stack: AsyncExitStack, agents: Sequence[HostAgent | BackendAgent]) -> None:
    """Bring all hosts up side by side, so that their registrations share commits."""
    starting = anyio.create_task_group()
    stop, all_up = anyio.Event(), anyio.Event()
    waiting_for = len(agents)
    limiter = anyio.CapacityLimiter(STARTING_AT_ONCE)

    async def live(agent: HostAgent | BackendAgent) -> None:
        nonlocal waiting_for
        async with AsyncExitStack() as life:
            async with limiter:
                await life.enter_async_context(agent.running())
            waiting_for -= 1
            if waiting_for == 0:
                all_up.set()
            await stop.wait()

    await stack.enter_async_context(starting)
    stack.callback(stop.set)
    for agent in agents:
        starting.start_soon(live, agent)
    if agents:
        await all_up.wait()
