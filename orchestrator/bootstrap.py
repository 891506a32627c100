"""The one composition root: which adapter stands behind which port.

Everything is made when it is first asked for, so that `deskside status` pays neither for Ansible nor for the engine.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.application.errors import NotAllowedError, StoreError
from orchestrator.application.ports import Actor, Clock, InventorySource, Prober, Runner

if TYPE_CHECKING:
    from orchestrator.adapters.engine import DbosEngine
    from orchestrator.adapters.runner.specs import PlaybookSpec
    from orchestrator.adapters.store import SqlStore
    from orchestrator.application.check_readiness import CheckReadiness, HouseCheck
    from orchestrator.application.deliver_notices import DeliverNotices
    from orchestrator.application.keep_time import KeepTime
    from orchestrator.application.office import OfficeFacts
    from orchestrator.application.open_occurrence import OpenOccurrence
    from orchestrator.application.plan_rollout import PlanRollout, PlaybookFacts
    from orchestrator.application.ports import Channel
    from orchestrator.application.run_playbook import RunPlaybook
    from orchestrator.application.run_rollout import RunRollout
    from orchestrator.application.steer_rollout import SteerRollout
    from orchestrator.config.settings import Office


class House:
    """One office with its state directory, as one command or the daemon sees it.

    Args:
        office: ``--office``, ``None`` = find it.
        state: ``--state``, ``None`` = the standard place.
        cwd: Where the command was called.
    """

    def __init__(self, *, office: Path | None = None, state: Path | None = None, cwd: Path | None = None) -> None:
        self._office_option = office
        self._state_option = state
        self._cwd = cwd or Path.cwd()

    # -- settings ------------------------------------------------------------------------------------------------

    @cached_property
    def office_root(self) -> Path:
        """The office directory.

        Raises:
            NotFoundError: There is none.
        """
        from orchestrator.config.paths import find_office

        return find_office(self._office_option, os.environ, self._cwd).resolve()

    @cached_property
    def state(self) -> Path:
        """The state directory; not made here."""
        from orchestrator.config.paths import find_state

        return find_state(self._state_option, os.environ, uid=os.getuid(), home=Path.home())

    @cached_property
    def office(self) -> Office:
        """The validated settings.

        Raises:
            ConfigurationError: With every problem at once.
        """
        from orchestrator.config.office import load_office

        return load_office(self.office_root)

    @cached_property
    def facts(self) -> OfficeFacts:
        """What the use cases need of the office."""
        return self.office.facts

    # -- outside -------------------------------------------------------------------------------------------------

    @cached_property
    def clock(self) -> Clock:
        """The real clock."""
        from orchestrator.adapters.clock import SystemClock

        return SystemClock()

    @cached_property
    def store(self) -> SqlStore:
        """The store, made and migrated when needed.

        Raises:
            NotAllowedError: The state belongs to somebody else.
            StoreError: It cannot be used.
        """
        from orchestrator.adapters.store import open_store

        self._may_write()
        return open_store(self.state)

    @cached_property
    def store_to_read(self) -> SqlStore:
        """The store for commands that only look: nothing is made or migrated.

        Raises:
            StoreError: There is none yet.
        """
        from orchestrator.adapters.store import FILE, open_store

        if not (self.state / FILE).exists():
            raise StoreError(
                f"nothing was planned or run here yet: {self.state} holds no {FILE}. Look elsewhere with --state, or plan first: deskside plan"
            )
        return open_store(self.state, create=False)

    def close(self) -> None:
        """Give back what was opened."""
        for name in ("store", "store_to_read"):
            store = self.__dict__.get(name)
            if store is not None:
                store.close()

    def _may_write(self) -> None:
        for place in (self.state, *self.state.parents):
            if place.exists():
                if not os.access(place, os.W_OK, effective_ids=True):
                    raise NotAllowedError(
                        f"uid {os.geteuid()} may not write {place}: it belongs to uid {place.stat().st_uid}. "
                        "Use sudo -u with that user, or a state of your own with --state."
                    )
                return

    @cached_property
    def inventory(self) -> InventorySource:
        """The office's inventory through Ansible."""
        from orchestrator.adapters.inventory import AnsibleInventory

        return AnsibleInventory(self.office_root, self.office.sources, self.office.sites)

    def _compile(self, hosts: Any, directory: Path) -> Path | None:
        from orchestrator.adapters.inventory import compile_inventory

        return compile_inventory(self.inventory, hosts, directory)

    @cached_property
    def runner(self) -> Runner:
        """Ansible through ansible-runner, contained."""
        from orchestrator.adapters.runner.runner import AnsibleRunner

        return AnsibleRunner(self.office_root, self.state, self.office.sources, self._compile)

    def runner_here(self) -> Runner:
        """The same for `run-playbook`: Ansible works in the technician's directory."""
        from orchestrator.adapters.runner.runner import AnsibleRunner

        return AnsibleRunner(self.office_root, self.state, self.office.sources, self._compile, cwd=self._cwd)

    @cached_property
    def prober(self) -> Prober:
        """One fused question over ssh."""
        from orchestrator.adapters.prober.prober import SshProber

        return SshProber(self.office_root, self.office.sources)

    @cached_property
    def holder(self) -> str:
        """This process, so that another one can prove it dead."""
        from orchestrator.adapters.engine.liveness import process_identity

        return process_identity()

    @cached_property
    def dead(self) -> Callable[[str], bool]:
        """Is a holder proven dead."""
        from orchestrator.adapters.engine.liveness import is_dead

        return is_dead

    def spec(self, playbook: str) -> PlaybookSpec:
        """What a playbook says about itself."""
        from orchestrator.adapters.runner.specs import playbook_spec

        return playbook_spec(playbook, cwd=self._cwd, office=self.office_root)

    # -- use cases -----------------------------------------------------------------------------------------------

    @cached_property
    def plan_rollout(self) -> PlanRollout:
        """Plan from what the store knows."""
        from orchestrator.adapters.calendars import tzdata_version
        from orchestrator.application.plan_rollout import PlanRollout

        return PlanRollout(
            office=self.facts,
            inventory=self.inventory,
            history=self.store,
            clock=self.clock,
            playbook=self._playbook_facts,
            tzdata=tzdata_version(),
        )

    def _playbook_facts(self, name: str) -> PlaybookFacts:
        from orchestrator.application.plan_rollout import PlaybookFacts

        spec = self.spec(name)
        return PlaybookFacts(name=name, may_reboot=spec.may_reboot, digest=_digest(spec.path))

    @cached_property
    def open_occurrence(self) -> OpenOccurrence:
        """Put occurrences on the books."""
        from orchestrator.application.open_occurrence import OpenOccurrence

        return OpenOccurrence(office=self.facts, store=self.store, planner=self.plan_rollout, clock=self.clock)

    @cached_property
    def run_rollout(self) -> RunRollout:
        """The steps of the durable workflow."""
        from orchestrator.adapters.engine import StoreGuardian
        from orchestrator.application.batch_parts import BatchParts, BatchSettings, PlaybookWay
        from orchestrator.application.run_batch import RunBatch
        from orchestrator.application.run_rollout import RolloutSettings, RunRollout

        reserve = self.facts.reboot_reserve.total_seconds()
        parts = BatchParts(
            store=self.store,
            runner=self.runner,
            prober=self.prober,
            guardian=StoreGuardian(self.store, self.clock),
            clock=self.clock,
            holder=self.holder,
            dead=self.dead,
            way=lambda name: PlaybookWay(compiled=self.spec(name).inventory == "job"),
            settings=BatchSettings(
                reboot_reserve=reserve,
                lease_ttl=_seconds("DESKSIDE_LEASE_TTL", 45.0),
                lost_wait=_seconds("DESKSIDE_LOST_WAIT", 120.0),
            ),
        )
        return RunRollout(
            office=self.facts,
            store=self.store,
            prober=self.prober,
            clock=self.clock,
            run_batch=RunBatch(parts),
            probed=lambda name: bool(self.spec(name).probe),
            settings=RolloutSettings(reboot_reserve=reserve, wake_wait=self.facts.wake_wait.total_seconds()),
        )

    @cached_property
    def channels(self) -> Mapping[str, Channel]:
        """The ways out; secrets are resolved here, when they are used."""
        from orchestrator.adapters.channels import build_channel
        from orchestrator.adapters.secrets import channel_settings

        return {
            name: build_channel(channel_settings(settings, office=self.office_root, state=self.state))
            for name, settings in self.office.channels.items()
        }

    @cached_property
    def sender(self) -> str:
        """``IT maintenance <it@example.org>`` of the mail channel; empty when there is none."""
        from email.utils import formataddr

        mail = self.office.channels.get(self.facts.channel)
        return formataddr((mail.sender_name, mail.sender)) if mail else ""

    @cached_property
    def renderer(self) -> Any:
        """Notices as mail."""
        from orchestrator.adapters.render import JinjaNoticeRenderer

        return JinjaNoticeRenderer(sender=self.sender, domain=self.facts.domain)

    @cached_property
    def deliver(self) -> DeliverNotices:
        """Drain the outbox."""
        from orchestrator.application.deliver_notices import DeliverNotices

        return DeliverNotices(
            store=self.store, renderer=self.renderer, channels=self.channels, clock=self.clock, holder=self.holder, dead=self.dead
        )

    @cached_property
    def steer(self) -> SteerRollout:
        """Cancel, pause, resume, defer, skip."""
        from orchestrator.application.steer_rollout import SteerRollout

        return SteerRollout(store=self.store, clock=self.clock)

    def replan_future(self, actor: Actor) -> tuple[str, ...]:
        """Make the plans that have not started again; returns those that changed."""
        from orchestrator.domain.outcome import RolloutState

        changed = []
        for row in self.store.occurrences(limit=200):
            if row.state is RolloutState.PLANNED and row.window in self.facts.windows:
                before = self.store.plan(row.id)
                after = self.open_occurrence.rebook(self.facts.windows[row.window], row.id, actor=actor)
                if before and after and before.hash != after.hash:
                    changed.append(row.id)
        return tuple(changed)

    @cached_property
    def run_playbook(self) -> RunPlaybook:
        """Playbooks by hand."""
        from orchestrator.application.run_playbook import RunPlaybook

        return RunPlaybook(
            office=self.facts,
            store=self.store,
            runner=self.runner_here(),
            inventory=self.inventory,
            clock=self.clock,
            holder=self.holder,
            free=self.free_locks,
        )

    def free_locks(self) -> tuple[str, ...]:
        """Free what dead processes left locked."""
        from orchestrator.application.free_locks import free_dead_locks

        return free_dead_locks(self.store, self.prober, self.clock, dead=self.dead)

    @cached_property
    def readiness(self) -> CheckReadiness:
        """The doctor."""
        from orchestrator.application.check_readiness import CheckReadiness

        return CheckReadiness(office=self.facts, store=self.store, prober=self.prober, clock=self.clock, house=self._house_checks())

    def _house_checks(self) -> tuple[Callable[[], HouseCheck], ...]:
        from orchestrator.adapters.health import house_checks

        return house_checks(channels=lambda: self.channels, state=self.state, store=lambda: self.store)

    # -- the executor --------------------------------------------------------------------------------------------

    @cached_property
    def engine(self) -> DbosEngine:
        """The durable engine; DBOS itself is imported when a rollout is started or run."""
        from orchestrator.adapters.engine import DbosEngine

        return DbosEngine(self.state, self.run_rollout, self.clock, poll=0.5)

    def _ask_before(self, occurrence: str) -> None:
        self.readiness.before_window(occurrence)

    @cached_property
    def keep_time(self) -> KeepTime:
        """One tick of the planner, for whoever is the executor."""
        from orchestrator.application.keep_time import KeepTime

        return KeepTime(
            office=self.facts,
            store=self.store,
            open_occurrence=self.open_occurrence,
            deliver=self.deliver,
            start=self.engine.start_rollout,
            readiness=self._ask_before,
            clock=self.clock,
        )


def _seconds(name: str, default: float) -> float:
    value = os.environ.get(name, "")
    return float(value) if value.replace(".", "", 1).isdigit() else default


def _digest(path: Path) -> str:
    """Content of a playbook and, for one of ours, of every role and plugin: what the plan's hash vouches for."""
    root = path.parent.parent if (path.parent.parent / "galaxy.yml").is_file() else None
    files = (
        sorted(p for folder in ("roles", "plugins", "playbooks") for p in (root / folder).rglob("*") if p.is_file())
        if root
        else [path]
    )
    digest = hashlib.sha256()
    for file in files:
        if "__pycache__" not in file.parts:
            digest.update(str(file.relative_to(root) if root else file.name).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]
