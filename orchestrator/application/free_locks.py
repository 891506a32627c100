"""Use case: free what a dead process left locked, after the device itself has said that nothing runs there (field: kured's lock for two months)."""

from __future__ import annotations

from collections.abc import Callable, Collection

from orchestrator.application.ports import Clock, DeviceLock, LogEntry, Prober, Store


def free_dead_locks(
    store: Store, prober: Prober, clock: Clock, *, dead: Callable[[str], bool], known: Collection[str] | None = None
) -> tuple[str, ...]:
    """Free locks whose holder is proven dead, or whose occurrence is over, where no work of ours runs any more.

    Args:
        store: Where the locks lie.
        prober: Asks the device.
        clock: For the record.
        dead: Is this holder (a process identity) proven dead.
        known: Devices of the inventory; a device that left it frees its lock without being asked. ``None`` = unknown.

    Returns:
        The devices that were freed.
    """
    freed = []
    for lock in [lock for lock in store.locks() if _left_behind(store, lock, dead)]:
        gone = known is not None and lock.device not in known
        probe = None if gone else prober.probe([lock.device], occurrence=lock.purpose)[lock.device]
        if probe is not None and (not probe.reachable or probe.unit_active):
            continue
        store.free_lock(lock.device, lock.holder)
        why = "it left the inventory" if gone else "its holder is gone and nothing runs there"
        store.log(LogEntry(at=clock.now(), kind="lock-freed", text=f"{lock.device} ({lock.purpose}): {why}", device=lock.device))
        freed.append(lock.device)
    return tuple(freed)


def _left_behind(store: Store, lock: DeviceLock, dead: Callable[[str], bool]) -> bool:
    row = store.occurrence(lock.purpose)
    if row is not None:
        return row.state.over
    return dead(lock.holder)
