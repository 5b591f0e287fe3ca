"""Every saga that the cloud knows."""

from minicloud.conductor.compute.attach_interface import AttachInterface
from minicloud.conductor.compute.attach_volume import AttachVolume
from minicloud.conductor.compute.cache_on_hosts import CacheOnHosts
from minicloud.conductor.compute.change_password import ChangePassword
from minicloud.conductor.compute.confirm_resize import ConfirmResize
from minicloud.conductor.compute.create_image import CreateImage
from minicloud.conductor.compute.create_server import CreateServer
from minicloud.conductor.compute.create_volumed_server import CreateVolumedServer
from minicloud.conductor.compute.delete_server import DeleteServer
from minicloud.conductor.compute.detach_interface import DetachInterface
from minicloud.conductor.compute.detach_volume import DetachVolume
from minicloud.conductor.compute.evacuate_server import EvacuateServer
from minicloud.conductor.compute.live_migrate_server import LiveMigrateServer
from minicloud.conductor.compute.pause_server import PauseServer
from minicloud.conductor.compute.reboot_server import RebootServer
from minicloud.conductor.compute.rebuild_server import RebuildServer
from minicloud.conductor.compute.rescue_server import RescueServer, UnrescueServer
from minicloud.conductor.compute.resize_server import ResizeServer
from minicloud.conductor.compute.resume_server import ResumeServer
from minicloud.conductor.compute.revert_resize import RevertResize
from minicloud.conductor.compute.shelve_server import OffloadServer, ShelveServer
from minicloud.conductor.compute.soft_delete_server import RestoreServer, SoftDeleteServer
from minicloud.conductor.compute.start_server import StartServer
from minicloud.conductor.compute.stop_server import StopServer
from minicloud.conductor.compute.suspend_server import SuspendServer
from minicloud.conductor.compute.trigger_crash_dump import TriggerCrashDump
from minicloud.conductor.compute.unpause_server import UnpauseServer
from minicloud.conductor.compute.unshelve_server import UnshelveServer
from minicloud.conductor.demo import PlayDemo
from minicloud.conductor.image.cache_image import CacheImage, UncacheImage
from minicloud.conductor.image.import_image import ImportImage
from minicloud.conductor.step import Saga
from minicloud.conductor.volume.apply_qos import ApplyQos
from minicloud.conductor.volume.create_backup import CreateBackup
from minicloud.conductor.volume.create_group_snapshot import CreateGroupSnapshot
from minicloud.conductor.volume.create_snapshot import CreateSnapshot
from minicloud.conductor.volume.create_volume import CreateVolume, CreateVolumeAnywhere
from minicloud.conductor.volume.delete_backup import DeleteBackup
from minicloud.conductor.volume.delete_snapshot import DeleteSnapshot
from minicloud.conductor.volume.delete_volume import DeleteVolume
from minicloud.conductor.volume.extend_volume import ExtendVolume
from minicloud.conductor.volume.migrate_volume import MigrateVolume
from minicloud.conductor.volume.reimage_volume import ReimageVolume
from minicloud.conductor.volume.restore_backup import RestoreBackup
from minicloud.conductor.volume.retype_volume import RetypeVolume
from minicloud.conductor.volume.revert_volume import RevertVolume
from minicloud.conductor.volume.upload_volume import UploadVolume

SAGAS: tuple[type[Saga], ...] = (
    CreateServer,
    CreateVolumedServer,
    DeleteServer,
    StartServer,
    StopServer,
    RebootServer,
    PauseServer,
    UnpauseServer,
    SuspendServer,
    ResumeServer,
    RebuildServer,
    CreateImage,
    ResizeServer,
    ConfirmResize,
    RevertResize,
    AttachInterface,
    DetachInterface,
    SoftDeleteServer,
    RestoreServer,
    LiveMigrateServer,
    EvacuateServer,
    ChangePassword,
    TriggerCrashDump,
    CacheOnHosts,
    RescueServer,
    UnrescueServer,
    ShelveServer,
    OffloadServer,
    UnshelveServer,
    ImportImage,
    CacheImage,
    UncacheImage,
    AttachVolume,
    DetachVolume,
    CreateVolume,
    CreateVolumeAnywhere,
    DeleteVolume,
    ExtendVolume,
    RevertVolume,
    RetypeVolume,
    MigrateVolume,
    UploadVolume,
    ReimageVolume,
    CreateBackup,
    RestoreBackup,
    DeleteBackup,
    ApplyQos,
    CreateSnapshot,
    CreateGroupSnapshot,
    DeleteSnapshot,
    PlayDemo,
)
"""A saga that does not stand here cannot be begun."""
