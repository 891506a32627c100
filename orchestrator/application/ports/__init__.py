"""What the use cases need from the outside, one protocol per thing. Adapters implement them; `bootstrap` wires them."""

from __future__ import annotations

from orchestrator.application.ports.devices import Prober, ProbeResult
from orchestrator.application.ports.inventory import InventorySnapshot, InventorySource
from orchestrator.application.ports.messages import (
    Channel,
    Delivery,
    Doubtful,
    Message,
    NoticeRenderer,
    Rejected,
    ReportRenderer,
    Retryable,
    Sent,
)
from orchestrator.application.ports.outside import Actor, Clock
from orchestrator.application.ports.rows import (
    Deferral,
    DeviceHealth,
    DeviceLock,
    DeviceRun,
    GateRow,
    Lease,
    LogEntry,
    OccurrenceRow,
    OutboxRow,
)
from orchestrator.application.ports.runner import HostResult, Job, RunEvent, Runner, RunResult, RunStatus
from orchestrator.application.ports.stores import Engine, HistoryStore, LeaseGuardian, LeaseStore, OccurrenceStore, Outbox, Store

__all__ = [
    "Actor",
    "Channel",
    "Clock",
    "Deferral",
    "Delivery",
    "DeviceHealth",
    "DeviceLock",
    "DeviceRun",
    "Doubtful",
    "Engine",
    "GateRow",
    "HistoryStore",
    "HostResult",
    "InventorySnapshot",
    "InventorySource",
    "Job",
    "Lease",
    "LeaseGuardian",
    "LeaseStore",
    "LogEntry",
    "Message",
    "NoticeRenderer",
    "OccurrenceRow",
    "OccurrenceStore",
    "Outbox",
    "OutboxRow",
    "ProbeResult",
    "Prober",
    "Rejected",
    "ReportRenderer",
    "Retryable",
    "RunEvent",
    "RunResult",
    "RunStatus",
    "Runner",
    "Sent",
    "Store",
]
