"""Durable execution behind the port ``Engine``. Importing this costs nothing: DBOS is loaded when a rollout is started or run."""

from orchestrator.adapters.engine.dbos_engine import DbosEngine
from orchestrator.adapters.engine.guardian import StoreGuardian
from orchestrator.adapters.engine.liveness import is_dead, process_identity
from orchestrator.application.lease_keeper import LeaseKeeper

__all__ = ["DbosEngine", "LeaseKeeper", "StoreGuardian", "is_dead", "process_identity"]
