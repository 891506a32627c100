"""Durable execution behind the port ``Engine``. Importing this costs nothing: DBOS is loaded when a rollout is started or run."""

from orchestrator.adapters.engine.dbos_engine import DbosEngine
from orchestrator.adapters.engine.liveness import is_dead, process_identity

__all__ = ["DbosEngine", "is_dead", "process_identity"]
