"""A device that says what a JSON case tells it to, and writes down which programs were run."""

from __future__ import annotations

from typing import Any

from ansible_collections.deskside.workplace.plugins.module_utils import _os_update_model as model
from ansible_collections.deskside.workplace.plugins.module_utils._os_update_apt import Apt
from ansible_collections.deskside.workplace.plugins.module_utils._os_update_host import Done, Holder, Host


class ScriptedHost(Host):
    """``facts["programs"]``: first word(s) → [status, output]; every other program succeeds silently."""

    def __init__(self, root: str, facts: dict[str, Any], *, read_only: bool = False) -> None:
        super().__init__(root, read_only=read_only)
        self.facts = facts
        self.commands: list[str] = []

    def run(self, argv, timeout):
        line = " ".join(argv)
        self.commands.append(line)
        for start, (code, output) in self.facts.get("programs", {}).items():
            if line.startswith(start):
                return Done(code, output)
        return Done(0, "")

    def spaces(self, paths):
        given = self.facts.get("spaces", {})
        return {key: model.Space(path, *given[path]) for key, path in paths.items() if path in given}

    def stale_services(self):
        return self.facts.get("stale", []), self.facts.get("stale_processes", [])

    def failed_units(self):
        failed = self.facts.get("failed_units", [[], []])
        return failed[1] if any(c.startswith("apt-get") for c in self.commands) else failed[0]

    def reboot_reasons(self):
        return self.facts.get("reboot", [])


class ScriptedApt(Apt):
    """apt whose answers are given; its commands are the real ones."""

    host: ScriptedHost

    def _facts(self, key: str, default: Any) -> Any:
        return self.host.facts.get(key, default)

    def cache_files(self):
        return []

    def lists_age(self):
        return self._facts("lists_age", 0)

    def busy(self):
        answers = self._facts("busy", [])
        holder = answers.pop(0) if len(answers) > 1 else (answers[0] if answers else None)
        return Holder(*holder) if holder else None

    def interrupted(self):
        broken = self._facts("interrupted", [[]])
        return broken.pop(0) if len(broken) > 1 else broken[0]

    def installed(self):
        states = self._facts("installed", [{}])
        return states.pop(0) if len(states) > 1 else states[0]

    def scan(self):
        scans = self._facts("scan", [[]])
        rows = scans.pop(0) if len(scans) > 1 else scans[0]
        return [model.Pending(*row) for row in rows]

    def plan(self, rows):
        given = dict(self._facts("plan", {}))
        changes = [model.Change(*change) for change in given.pop("changes", [])]
        chosen = {row.name for row in rows}
        assert chosen >= {name for name, _ in given.get("targets", [])}, "planned what was not chosen"
        for key in ("targets", "kept", "automatic"):
            given[key] = tuple(tuple(x) if isinstance(x, list) else x for x in given.get(key, []))
        return model.Plan(changes=tuple(changes), **given)

    def foreign_updates(self):
        return self._facts("foreign", [])
