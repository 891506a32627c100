# Copyright (c) 2026 deskside
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""apt and dpkg for ``os_update``: python3-apt answers questions, apt-get changes things."""

from __future__ import annotations

import os
import re
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

from . import _os_update_cache as cache
from . import _os_update_model as model
from ._os_update_backend import Backend
from ._os_update_host import Holder, Host

LISTS = "/var/lib/apt/lists"
ARCHIVES = "/var/cache/apt/archives"
STATUS = "/var/lib/dpkg/status"
LOCKS = ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", f"{LISTS}/lock", f"{ARCHIVES}/lock")
BROKEN = re.compile(
    r"^Package: (\S+)\nStatus: \S+ \S+ (?:half-installed|unpacked|half-configured|triggers-awaited|triggers-pending)$", re.MULTILINE
)
KEEP_CONFIG = ("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold")


class Apt(Backend):
    """Debian, Ubuntu and relatives. See ``Backend`` for what each method answers."""

    def __init__(self, host: Host, options: model.Options) -> None:
        super().__init__(host, options)
        self._apt: Any = None

    # -- cheap questions ----------------------------------------------------------------------------------------------

    def cache_files(self) -> List[str]:
        """Order and patterns are the probe's: single files, then directories in C order, hidden names left out."""
        found: List[str] = [STATUS, "/etc/apt/sources.list"]
        found += self._in("/etc/apt/sources.list.d")
        found += ["/etc/apt/preferences", *self._in("/etc/apt/preferences.d")]
        found += ["/etc/apt/apt.conf", *self._in("/etc/apt/apt.conf.d"), "/var/lib/apt/extended_states"]
        return found + [path for path in self._in(LISTS) if "_" in os.path.basename(path)]

    def _in(self, folder: str) -> List[str]:
        try:
            names = os.listdir(self.host.path(folder))
        except OSError:
            return []
        return [f"{folder}/{name}" for name in sorted(names, key=os.fsencode) if not name.startswith(".")]

    def missing(self) -> str:
        """python3-apt is needed (the Python that runs this must be the system's)."""
        try:
            import apt_pkg  # noqa: F401
        except ImportError:
            return "python3-apt is missing on this device: apt-get install python3-apt"
        return ""

    def lists_age(self) -> float:
        """Counted from our own stamp; a changed source or empty lists make it void."""
        stamp = cache.refreshed_at(self.host)
        sources = ["/etc/apt/sources.list", "/etc/apt/sources.list.d", *self._in("/etc/apt/sources.list.d")]
        lists = [path for path in self._in(LISTS) if path.endswith("Release")]
        if not stamp or not lists or any(self.host.changed_at(path) > stamp for path in sources):
            return float("inf")
        return max(0.0, self.host.now() - stamp)

    def busy(self) -> Optional[Holder]:
        """All four locks of apt and dpkg."""
        return self.host.lock_holder(LOCKS)

    def interrupted(self) -> List[str]:
        """From dpkg's own status file and journal."""
        names = BROKEN.findall(self.host.read(STATUS) or "")
        return names + (["*"] if self.host.glob("/var/lib/dpkg/updates/[0-9]*") else [])

    def spaces(self) -> Dict[str, str]:
        """Where apt and dpkg write."""
        return {"/usr": "/usr", "archives": ARCHIVES}

    # -- programs -----------------------------------------------------------------------------------------------------

    def refresh_command(self) -> List[str]:
        """Any list that cannot be fetched is a failure: old lists would say that nothing is pending."""
        return ["apt-get", "update", "-q", "-o", "APT::Update::Error-Mode=any", *self._waiting(), "-o", "Acquire::Retries=1"]

    def repair_commands(self) -> List[List[str]]:
        """What dpkg and apt themselves ask for after an interruption."""
        return [
            ["dpkg", "--configure", "-a", "--force-confdef", "--force-confold"],
            ["apt-get", "-f", "install", "-y", "-q", *self._removals(), *KEEP_CONFIG, *self._waiting()],
        ]

    def apply_command(self, plan: model.Plan) -> List[str]:
        """All that is pending: ``upgrade --with-new-pkgs``. A part of it: by name and exact version."""
        common = ["-y", "-q", *KEEP_CONFIG, *self._waiting()]
        if plan.whole:
            verb = ["dist-upgrade"] if self.options.allow_removals else ["upgrade", "--with-new-pkgs"]
            return ["apt-get", *verb, *common]
        named = [f"{name}={version}" for name, version in plan.targets]
        return ["apt-get", "install", "--only-upgrade", *self._removals(), *common, *named]

    def settle_commands(self, automatic: Sequence[str]) -> List[List[str]]:
        """A package named to ``apt-get install`` counts as wanted by hand: give the automatic ones their mark back."""
        return [["apt-mark", "auto", *automatic]] if automatic else []

    def _waiting(self) -> List[str]:
        return ["-o", f"DPkg::Lock::Timeout={self.options.lock_wait}"]

    def _removals(self) -> List[str]:
        return [] if self.options.allow_removals else ["--no-remove"]

    def installed(self) -> Dict[str, str]:
        """Asks dpkg, in whose database a package counts from the moment it is unpacked."""
        form = "${Package}\t${Architecture}\t${Version}\t${db:Status-Status}\n"
        done = self.host.run(["dpkg-query", "-W", "-f", form], 60)
        if done.code != 0:
            raise model.RefusedUpdateError(f"dpkg-query does not answer: {done.output.strip()[-200:]}")
        native = self.host.run(["dpkg", "--print-architecture"], 30).output.strip()
        rows = (line.split("\t") for line in done.output.splitlines())
        return {
            name if arch in (native, "all") else f"{name}:{arch}": version
            for name, arch, version, state in rows
            if state not in ("not-installed", "config-files")
        }

    # -- python3-apt --------------------------------------------------------------------------------------------------

    def scan(self) -> List[model.Pending]:
        """Every installed package whose candidate (pins and holds as configured) is newer."""
        depcache = self._open()
        rows = []
        for package, version in self._upgradable(depcache):
            held = package.selected_state == self._apt.SELSTATE_HOLD
            kind = model.SECURITY if self._secure_versions(package, version) else model.OTHER
            rows.append(model.Pending(package.get_fullname(True), package.current_ver.ver_str, version.ver_str, kind, held))
        return sorted(rows, key=lambda row: row.name)

    def plan(self, rows: Sequence[model.Pending]) -> model.Plan:
        """Mark the rows in a copy of apt's mind and read off what follows."""
        depcache = self._open()
        wanted = [(row.name, self._target(row)) for row in rows]
        good, kept = self._without_removals(depcache, wanted)
        upgradable = {
            package.get_fullname(True)
            for package, _ in self._upgradable(depcache)
            if package.selected_state != self._apt.SELSTATE_HOLD
        }
        candidates = all(self._find(name).has_versions and version == self._newest(name) for name, version in good)
        changed = self._marked(depcache, [self._find(name) for name, _ in good])
        return model.Plan(
            targets=tuple(good),
            changes=tuple(sorted((self._change(p, depcache, rows) for p in changed), key=lambda c: c.name)),
            kept=tuple(kept),
            automatic=tuple(name for name, _ in good if depcache.is_auto_installed(self._find(name))),
            whole=bool(good) and candidates and {name for name, _ in good} | set(kept) == upgradable,
            download=self._missing_bytes(depcache, changed),
            growth=int(depcache.usr_size),
            largest=max(
                [(depcache.get_candidate_ver(p).installed_size if not depcache.marked_delete(p) else 0) for p in changed] or [0]
            ),
        )

    def _open(self) -> Any:
        """Return a fresh dependency cache over the package cache; reads everything anew each time."""
        import apt_pkg

        if self._apt is None:
            apt_pkg.init_config()
            apt_pkg.init_system()
            self._apt = apt_pkg
        self._cache = apt_pkg.Cache(None)
        self._newest_of: Dict[str, str] = {}
        return apt_pkg.DepCache(self._cache)

    def _upgradable(self, depcache: Any) -> List[Tuple[Any, Any]]:
        found = []
        for name, arch in self._installed_names():
            try:
                package = self._cache[(name, arch)]
            except KeyError:
                continue
            candidate = depcache.get_candidate_ver(package) if package.current_ver is not None else None
            if candidate is None or self._apt.version_compare(candidate.ver_str, package.current_ver.ver_str) <= 0:
                continue
            if hasattr(depcache, "phasing_applied") and depcache.phasing_applied(package):
                continue  # Ubuntu has not offered it to this machine yet
            found.append((package, candidate))
            self._newest_of[package.get_fullname(True)] = candidate.ver_str
        return found

    def _installed_names(self) -> List[Tuple[str, str]]:
        """(name, architecture) of dpkg's status file: far fewer than the names which apt's cache knows."""
        native = self._apt.config.find("APT::Architecture")
        found = re.findall(r"^Package: (\S+)$(?:\n(?!$).*)*?\nArchitecture: (\S+)$", self.host.read(STATUS) or "", re.MULTILINE)
        return [(name, native if arch == "all" else arch) for name, arch in found]

    def _secure_versions(self, package: Any, candidate: Any) -> List[str]:
        """Versions newer than the installed one, up to the candidate, that a security suite offers; newest first."""
        compare = self._apt.version_compare
        found: Set[str] = set()
        for version in package.version_list:
            newer = compare(version.ver_str, package.current_ver.ver_str) > 0 >= compare(version.ver_str, candidate.ver_str)
            if newer and any(model.is_security(f.label or "", f.archive or "", f.codename or "") for f, _ in version.file_list):
                found.add(version.ver_str)
        ordered = [v.ver_str for v in package.version_list if v.ver_str in found]
        return list(dict.fromkeys(ordered))

    def _target(self, row: model.Pending) -> str:
        """The candidate; when only security updates are wanted, the newest version of a security suite."""
        if self.options.wants(model.OTHER):
            return row.candidate
        package = self._find(row.name)
        by_name = {version.ver_str: version for version in package.version_list}
        secure = self._secure_versions(package, by_name[row.candidate]) if row.candidate in by_name else []
        return secure[0] if secure else row.candidate

    def _find(self, name: str) -> Any:
        base, _, arch = name.partition(":")
        return self._cache[(base, arch)] if arch else self._cache[base]

    def _newest(self, name: str) -> str:
        return self._newest_of.get(name, "")

    def _without_removals(self, depcache: Any, wanted: Sequence[Tuple[str, str]]) -> Tuple[List[Tuple[str, str]], List[str]]:
        """Mark what can be had together without a removal (unless allowed), a held or a rejected package being touched.

        Returns:
            What is marked now, and the names left out. Tries all at once; only if that fails one after the other.
        """
        if self._mark(depcache, wanted):
            return list(wanted), []
        good: List[Tuple[str, str]] = []
        for one in wanted:
            if self._mark(depcache, [*good, one]):
                good.append(one)
        self._mark(depcache, good)
        return good, [name for name, version in wanted if (name, version) not in good]

    def _mark(self, depcache: Any, wanted: Sequence[Tuple[str, str]]) -> bool:
        depcache.init()
        packages = []
        for name, version in wanted:
            package = self._find(name)
            match = [v for v in package.version_list if v.ver_str == version]
            if not match or not depcache.set_candidate_ver(package, match[0]):
                return False
            packages.append(package)
        for with_dependencies in (False, True):
            for package in packages:
                depcache.mark_install(package, with_dependencies, False)
        if depcache.broken_count or (depcache.del_count and not self.options.allow_removals):
            return False
        return all(depcache.marked_upgrade(p) for p in packages) and not any(
            self._untouchable(p) for p in self._marked(depcache, packages)
        )

    def _untouchable(self, package: Any) -> bool:
        held = package.current_ver is not None and package.selected_state == self._apt.SELSTATE_HOLD
        return held or self.options.rejects(package.get_fullname(True))

    def _marked(self, depcache: Any, asked: Sequence[Any] = ()) -> List[Any]:
        """Everything that would change. Looking through the whole cache is needed only when more changes than was asked for."""
        if asked and depcache.inst_count == len(asked) and not depcache.del_count:
            return list(asked)
        marked = (depcache.marked_install, depcache.marked_upgrade, depcache.marked_delete)
        return [p for p in self._cache.packages if p.has_versions and any(test(p) for test in marked)]

    def _change(self, package: Any, depcache: Any, rows: Sequence[model.Pending]) -> model.Change:
        name = package.get_fullname(True)
        current = package.current_ver
        candidate = None if depcache.marked_delete(package) else depcache.get_candidate_ver(package)
        kinds = {row.name: row.kind for row in rows}
        secure = bool(current and candidate and self._secure_versions(package, candidate))
        return model.Change(
            name,
            current.ver_str if current else "",
            candidate.ver_str if candidate else "",
            kinds.get(name, model.SECURITY if secure else model.OTHER),
            self._undo(current) if current else "none",
        )

    def _undo(self, version: Any) -> str:
        """Where the installed version could be had again."""
        if any(f.index_type != "Debian dpkg status file" for f, _ in version.file_list):
            return "repository"
        return (
            "cache"
            if self.host.exists(f"{ARCHIVES}/{archive_name(version.parent_pkg.name, version.ver_str, version.arch)}")
            else "none"
        )

    def _missing_bytes(self, depcache: Any, changed: Sequence[Any]) -> int:
        """Bytes to download: what is already in the archive directory, or on a local file system, is not fetched."""
        total = 0
        for package in changed:
            version = None if depcache.marked_delete(package) else depcache.get_candidate_ver(package)
            if version and not self.host.exists(f"{ARCHIVES}/{archive_name(package.name, version.ver_str, version.arch)}"):
                total += int(version.size)
        return total

    # -- other updaters -----------------------------------------------------------------------------------------------

    def foreign_updates(self) -> List[str]:
        """unattended-upgrades and the timer that starts it."""
        import apt_pkg

        apt_pkg.init_config()
        on = self.host.exists("/usr/bin/unattended-upgrade") and apt_pkg.config.find(
            "APT::Periodic::Unattended-Upgrade", "0"
        ) not in ("0", "")
        reboots = apt_pkg.config.find_b("Unattended-Upgrade::Automatic-Reboot", False)
        timer = self.host.run(["systemctl", "is-active", "apt-daily-upgrade.timer"], 20).output.strip() == "active" if on else False
        return foreign_warnings(
            on=on, timer=timer, reboots=reboots, at=apt_pkg.config.find("Unattended-Upgrade::Automatic-Reboot-Time", "now")
        )


def archive_name(name: str, version: str, arch: str) -> str:
    """File name that apt gives a downloaded package (the colon of an epoch is quoted)."""
    quoted = version.replace("%", "%25").replace(":", "%3a").replace("_", "%5f")
    return f"{name}_{quoted}_{arch}.deb"


def foreign_warnings(*, on: bool, timer: bool, reboots: bool, at: str) -> List[str]:
    """Say what unattended-upgrades does here, as far as it is switched on."""
    if not on:
        return []
    starts = "apt-daily-upgrade.timer starts it" if timer else "apt-daily-upgrade.timer does not run now"
    found = [f"unattended-upgrades is switched on ({starts}): this device also updates itself outside every window"]
    if reboots:
        found.append(f"Unattended-Upgrade::Automatic-Reboot is on: this device may restart by itself ({at})")
    return found
