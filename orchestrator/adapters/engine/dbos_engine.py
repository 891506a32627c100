"""The port ``Engine`` on DBOS Transact with an embedded SQLite file. See docs/explanation/durable-execution.md."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from orchestrator.adapters.engine.database import FILE, open_engine_database
from orchestrator.adapters.engine.executor_lock import executor_lock, if_dead
from orchestrator.adapters.engine.liveness import process_identity
from orchestrator.adapters.engine.workflows import BATCHES, DECLINED, ROLLOUTS, Pauses, Workflows
from orchestrator.application.errors import StoreError
from orchestrator.application.ports import Clock
from orchestrator.application.rollout_steps import RolloutSteps

if TYPE_CHECKING:
    from dbos import DBOSClient
    from sqlalchemy import Engine

VERSION = "wf1"
"""Stands in every row; DBOS's own default, a hash of the code, would strand open rollouts at every upgrade."""

NAME = "deskside"
KEEP = timedelta(days=90)

_TICK = 0.2
_STARTS = 20
_BROKEN = ["ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


class DbosEngine:
    """Durable execution of rollouts. One object, one executor; at most one of them runs in a process.

    Attributes:
        left_behind: A step did not end within ``grace`` after the stop. Its thread would keep the interpreter from ending: leave with
            ``os._exit``. That is a kill, and a kill is what the next start repairs.

    Args:
        state: The state directory; ``engine.db``, ``engine.log`` and the executor's lock live there.
        steps: What the workflows drive.
        clock: The source of now (for retention only; DBOS keeps its own times).
        executor_id: Who this process is among the executors of this state directory.
        holder: Who this process is; stands in the lock file. Default: :func:`process_identity`.
        poll: Seconds between two looks at a queue.
        parallel: How many batches (and how many rollouts) run at the same time.
        grace: Seconds that running steps get to end when the executor stops.
        housekeeping: Seconds between two rounds of it: adopting, reporting what broke, purging.
        pauses: How patient the workflows are.
    """

    def __init__(
        self,
        state: Path,
        steps: RolloutSteps,
        clock: Clock,
        *,
        executor_id: str = "local",
        holder: str | None = None,
        poll: float = 0.5,
        parallel: int = 4,
        grace: float = 30.0,
        housekeeping: float = 30.0,
        pauses: Pauses | None = None,
    ) -> None:
        self._state = state
        self._steps = steps
        self._clock = clock
        self._executor_id = executor_id
        self._poll = poll
        self._parallel = parallel
        self._grace = grace
        self._housekeeping = housekeeping
        self._pauses = pauses or Pauses()
        self._holder = holder or process_identity(executor_id)
        self.left_behind = False
        self._told: set[str] = set()
        self._migrated = False
        self._running = ExitStack()

    def start_rollout(self, occurrence: str) -> None:
        """Enqueue the rollout of an occurrence, once, from any process. Whoever runs as an executor carries it out.

        A rollout that was declined (its window was not open yet) may be started again; one that ran may not.

        Raises:
            StoreError: The engine's database cannot be used.
        """
        with self._client() as client:
            for number in range(1, _STARTS + 1):
                workflow_id = f"{occurrence}:run" if number == 1 else f"{occurrence}:run-{number}"
                found = client.list_workflows(workflow_ids=[workflow_id])
                if not found:
                    options = {
                        "workflow_name": "rollout",
                        "queue_name": ROLLOUTS,
                        "workflow_id": workflow_id,
                        "app_version": VERSION,
                    }
                    client.enqueue(options, occurrence)
                    return
                if not (isinstance(found[0].output, dict) and DECLINED in found[0].output):
                    return

    @staticmethod
    def load() -> None:
        """Import DBOS now, from one thread: two that import it at the same time can meet its half-made modules."""
        import dbos  # noqa: F401

    def run(self, stop: Callable[[], bool]) -> None:
        """Be the executor until ``stop()``; goes on with what a dead process of this or another executor id left.

        Raises:
            BusyError: Another process is this executor.
            StoreError: The engine's database cannot be used.
        """
        with self:
            while not stop():
                time.sleep(_TICK)

    def __enter__(self) -> Self:
        """Be the executor while the block runs; work happens in threads.

        Raises:
            BusyError: Another process is this executor.
            StoreError: The engine's database cannot be used.
        """
        with ExitStack() as stack:
            stack.enter_context(executor_lock(self._state, self._executor_id, self._holder))
            stack.enter_context(self._translated())
            engine = open_engine_database(self._state)
            stack.callback(engine.dispose)
            workflows = Workflows(self._steps, poll=self._poll, pauses=self._pauses)
            stack.callback(self._shut_down, workflows)
            self._launch(workflows, engine)
            housekeeper = threading.Thread(
                target=self._keep_house, args=(workflows.stopping,), name="engine-housekeeping", daemon=True
            )
            housekeeper.start()
            stack.callback(housekeeper.join, timeout=10)
            stack.callback(workflows.stopping.set)
            self._running = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the work, bounded by ``grace``, and stop being the executor."""
        self._running.close()

    def _launch(self, workflows: Workflows, engine: Engine) -> None:
        from dbos import DBOS, DBOSPortableJSONSerializer

        _quiet(self._state)
        DBOS(
            config={
                "name": NAME,
                "system_database_url": f"sqlite:///{self._state / FILE}",
                "system_database_engine": engine,
                "serializer": DBOSPortableJSONSerializer(),
                "application_version": VERSION,
                "executor_id": self._executor_id,
                "enable_otlp": False,
                "log_level": "WARNING",
            }
        )
        workflows.register()
        DBOS.listen_queues([ROLLOUTS, BATCHES])
        DBOS.launch()
        for queue in (ROLLOUTS, BATCHES):
            DBOS.register_queue(
                queue, worker_concurrency=self._parallel, polling_interval_sec=self._poll, on_conflict="always_update"
            )

    def _keep_house(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            for chore in (self._adopt, self._report_broken, self._purge):
                try:
                    chore()
                except Exception:
                    logging.getLogger("dbos").exception("housekeeping failed, it comes again: %s", chore.__name__)
            stopping.wait(self._housekeeping)

    def _adopt(self) -> None:
        """Take over what other executors left that no live process is any more (``deskside run`` was killed, the daemon lives)."""
        from dbos import DBOS

        pending = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        for executor in {str(row.executor_id) for row in pending if row.executor_id} - {self._executor_id}:
            with if_dead(self._state, executor) as dead:
                if dead:
                    recover(executor)

    def _report_broken(self) -> None:
        """Tell the store about every rollout the engine could not end properly, so that none hangs."""
        from dbos import DBOS

        for row in DBOS.list_workflows(status=_BROKEN, name="rollout", load_output=True):
            if row.workflow_id in self._told:
                continue
            occurrence = row.workflow_id.rpartition(":run")[0]
            self._steps.fail(occurrence, f"the engine could not go on ({row.status}): {row.error or 'see engine.log'}")
            self._told.add(row.workflow_id)

    def _purge(self) -> None:
        from dbos import DBOS

        before = (self._clock.now() - KEEP).isoformat()
        old = DBOS.list_workflows(name="rollout", completed_before=before, limit=100, load_input=False, load_output=False)
        if old:  # with their batches, and no batch before its rollout is over
            DBOS.delete_workflows([row.workflow_id for row in old], delete_children=True)

    def _shut_down(self, workflows: Workflows) -> None:
        from dbos import DBOS

        workflows.stopping.set()
        self.left_behind = not workflows.wait_idle(self._grace)
        if self.left_behind:
            logging.getLogger("dbos").warning("a step did not end within %s s; it is left behind", self._grace)
        DBOS.destroy(destroy_registry=True)

    @contextmanager
    def _client(self) -> Iterator[DBOSClient]:
        from dbos import DBOSClient, DBOSPortableJSONSerializer

        _quiet(self._state)
        with self._translated():
            engine = open_engine_database(self._state)
            client = DBOSClient(
                system_database_engine=engine, serializer=DBOSPortableJSONSerializer(), application_name=NAME, lazy=True
            )
            try:
                if not self._migrated:
                    migrate(client)
                    self._migrated = True
                yield client
            finally:
                client.destroy()
                engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        from dbos import error as dbos_error
        from sqlalchemy.exc import DBAPIError

        from orchestrator.adapters.store.database import explain

        try:
            yield
        except DBAPIError as error:
            raise explain(self._state / FILE, error) from error
        except (dbos_error.DBOSException, OSError) as error:
            raise StoreError(f"{self._state / FILE}: the engine cannot use it: {error}") from error


def recover(executor: str) -> None:
    """Give the open workflows of a dead executor back to their queues. Private in DBOS 3.4; a contract test watches it."""
    from dbos import DBOS

    DBOS._recover_pending_workflows([executor])  # noqa: SLF001


def migrate(client: DBOSClient) -> None:
    """Make or migrate DBOS's tables, which a client does not do. Private in DBOS 3.4; a contract test watches it."""
    client._sys_db.run_migrations()  # noqa: SLF001


def _quiet(state: Path) -> None:
    """Let DBOS write warnings to a small file instead of the terminal; without a handler of ours it would add its own."""
    logger = logging.getLogger("dbos")
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    wanted = str((state / "engine.log").absolute())
    for handler in list(logger.handlers):
        if getattr(handler, "baseFilename", "") != wanted:
            logger.removeHandler(handler)
            handler.close()
    if not logger.handlers:
        handler = RotatingFileHandler(wanted, maxBytes=1_000_000, backupCount=1, delay=True)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger.addHandler(handler)
