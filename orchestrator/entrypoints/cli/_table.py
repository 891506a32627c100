"""The one table of commands: name, where it lives, one line of help. Reading it imports nothing.

A new command is one module with a ``typer.Typer()`` called ``app`` and one row here. ``group=True`` means that the
command has commands of its own (``deskside config check``).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec


@dataclass(frozen=True, slots=True)
class Entry:
    """One command of the root.

    Attributes:
        target: ``module:attribute``; the attribute is a ``typer.Typer``.
        help: One line for ``deskside --help`` and for completion.
        panel: The heading it stands under.
        group: Whether it has commands of its own.
    """

    target: str
    help: str
    panel: str
    group: bool = False

    @property
    def module(self) -> str:
        """The dotted module, not imported yet."""
        return self.target.partition(":")[0]

    @property
    def attribute(self) -> str:
        """The name of the ``typer.Typer`` in that module."""
        return self.target.partition(":")[2]

    def present(self) -> bool:
        """Whether this version has the command's module; looks for the file, imports nothing of it."""
        return find_spec(self.module) is not None


PLAN = "Before the window"
RUN = "While it runs"
LOOK = "Afterwards"
OFFICE = "The office"

_HERE = "orchestrator.entrypoints.cli"

COMMANDS: dict[str, Entry] = {
    "maintenance": Entry(f"{_HERE}.maintenance:app", "List, show and foresee maintenance windows.", PLAN, group=True),
    "plan": Entry(f"{_HERE}.plan:app", "Show what a window would do, to which devices, when and why.", PLAN),
    "doctor": Entry(f"{_HERE}.doctor:app", "Check every device, the mail and this machine before the window.", PLAN),
    "notices": Entry(f"{_HERE}.notices:app", "Preview what people will be told.", PLAN, group=True),
    "defer": Entry(f"{_HERE}.steering:defer_app", "Postpone one device for a person, with a reason.", PLAN),
    "skip": Entry(f"{_HERE}.steering:skip_app", "Leave one device out of the next occurrence.", PLAN),
    "run": Entry(f"{_HERE}.run:app", "Carry out a window that is open now.", RUN),
    "run-playbook": Entry(f"{_HERE}.run_playbook:app", "Run any playbook under the same locks and record.", RUN),
    "daemon": Entry(f"{_HERE}.daemon:app", "Plan, tell and run by the clock until stopped.", RUN),
    "status": Entry(f"{_HERE}.status:app", "Show what is happening now.", RUN),
    "pause": Entry(f"{_HERE}.steering:pause_app", "Start no new device until resumed.", RUN),
    "resume": Entry(f"{_HERE}.steering:resume_app", "Go on with a paused rollout.", RUN),
    "cancel": Entry(f"{_HERE}.steering:cancel_app", "Stop a rollout: no new device, and tell the people.", RUN),
    "report": Entry(f"{_HERE}.report:app", "Write the report of an occurrence as page, PDF, CSV or JSON.", LOOK),
    "patches": Entry(f"{_HERE}.patches:app", "Show per device what is pending, how old, and what waits for a restart.", LOOK),
    "init": Entry(f"{_HERE}.init:app", "Write an office directory around an inventory that exists.", OFFICE),
    "config": Entry(f"{_HERE}.config:app", "Check the office directory; print its schema or a sample.", OFFICE, group=True),
    "lab": Entry(f"{_HERE}.lab:app", "Start, stop and enter the practice office in containers.", OFFICE, group=True),
}
