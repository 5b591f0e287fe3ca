"""Every repair of the cloud, in the order in which a round runs them."""

from minicloud.reconcilers.cards import Cards
from minicloud.reconcilers.damaged_images import DamagedImages
from minicloud.reconcilers.deadlines import Deadlines
from minicloud.reconcilers.evacuated import Evacuated
from minicloud.reconcilers.fabric import FabricReconciler
from minicloud.reconcilers.leftovers import Leftovers
from minicloud.reconcilers.loop import Reconciler
from minicloud.reconcilers.lost_hosts import LostHosts
from minicloud.reconcilers.network_changes import NetworkChanges
from minicloud.reconcilers.power_states import PowerStates
from minicloud.reconcilers.storage_backends import StorageBackends


def reconcilers() -> list[Reconciler]:
    """New ones: some remember what they saw last."""
    return [
        LostHosts(),
        PowerStates(),
        NetworkChanges(),
        Cards(),
        FabricReconciler(),
        Leftovers(),
        StorageBackends(),
        DamagedImages(),
        Evacuated(),
        Deadlines(),
    ]
