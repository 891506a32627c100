"""The options of ansible-playbook, by their own names, for ``deskside run-playbook``; and which devices they mean.

A static table, so that nothing of Ansible is imported to read a command line; a test compares it with Ansible's own parser.
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.adapters.runner.environment import OfficeConfig, office_environment
from orchestrator.adapters.runner.runner import program
from orchestrator.adapters.runner.specs import playbook_spec
from orchestrator.application.errors import BadInputError, InventoryError

LIST_SECONDS = 120.0
NO_HOSTS = "leaves us with no hosts to target"
"""What Ansible says when a limit fits nothing; for us that is an empty list, not an inventory that cannot be read."""
FLAGS = frozenset({
    "--become", "--check", "--diff", "--flush-cache", "--force-handlers", "--list-hosts", "--list-tags", "--list-tasks",
    "--step", "--syntax-check", "--verbose", "-C", "-D", "-b", "-v",
})  # fmt: skip
VALUES = frozenset({
    "--become-method", "--become-password-file", "--become-pass-file", "--become-user", "--connection", "--connection-password-file",
    "--conn-pass-file", "--extra-vars", "--forks", "--inventory", "--inventory-file", "--key-file", "--limit", "--module-path",
    "--private-key", "--scp-extra-args", "--sftp-extra-args", "--skip-tags", "--ssh-common-args", "--ssh-extra-args",
    "--start-at-task", "--tags", "--timeout", "--user", "--vault-id", "--vault-password-file", "--vault-pass-file",
    "-M", "-T", "-c", "-e", "-f", "-i", "-l", "-t", "-u",
})  # fmt: skip
PROMPTS = {
    "-K": "set ansible_become_password in host_vars or group_vars, encrypted with ansible-vault, or give --become-password-file",
    "--ask-become-pass": "set ansible_become_password in host_vars or group_vars, encrypted with ansible-vault, or give --become-password-file",
    "-k": "use ssh keys, or give --connection-password-file",
    "--ask-pass": "use ssh keys, or give --connection-password-file",
    "-J": "name the file in ansible.cfg (vault_password_file), or give --vault-password-file",
    "--ask-vault-pass": "name the file in ansible.cfg (vault_password_file), or give --vault-password-file",
    "--ask-vault-password": "name the file in ansible.cfg (vault_password_file), or give --vault-password-file",
    "--step": "leave it out: it asks before each task",
}
LISTINGS = frozenset({"--list-hosts", "--list-tags", "--list-tasks", "--syntax-check"})
_LIMIT = frozenset({"-l", "--limit"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """A command line of ansible-playbook that may be run unattended.

    Attributes:
        playbooks: What stands without a dash.
        options: Everything else, normalized to one word per option and one per value, without the limit.
        limit: Value of ``--limit``, ``None`` when it was not given.
        listing: It only lists or checks syntax; nothing is carried out.
        check: ``--check`` was given.
    """

    playbooks: tuple[str, ...]
    options: tuple[str, ...]
    limit: str | None = None
    listing: bool = False
    check: bool = False


def validate_options(argv: Sequence[str], *, interactive: bool = False) -> CommandLine:
    """Read the arguments that ansible-playbook would be given.

    Args:
        argv: Options and playbooks, in any order.
        interactive: A person sits there and may be asked; ours never may, since the run has no terminal.

    Raises:
        BadInputError: An option Ansible does not have, a value is missing, or an option would ask a question.
    """
    words, playbooks, options, limit = list(argv), [], [], None
    while words:
        word = words.pop(0)
        if word == "--":
            playbooks += words
            break
        if not word.startswith("-") or word == "-":
            playbooks.append(word)
            continue
        for option in _split(word, words):
            _refuse_prompt(option[0], interactive=interactive)
            if option[0] in _LIMIT:
                limit = option[1]
            else:
                options += option
    return CommandLine(
        playbooks=tuple(playbooks),
        options=tuple(options),
        limit=limit,
        listing=bool(LISTINGS & set(options)),
        check=bool({"-C", "--check"} & set(options)),
    )


def _split(word: str, rest: list[str]) -> list[list[str]]:
    """One argument as options: ``--name=value``, ``-vvv``, ``-lweb``, ``-bK``."""
    name, equals, value = word.partition("=") if word.startswith("--") else (word[:2], "", word[2:])
    name = _full_name(name)
    if name in VALUES:
        if equals or value:
            return [[name, value]]
        if not rest:
            raise BadInputError(f"option {name} needs a value")
        return [[name, rest.pop(0)]]
    if equals:
        raise BadInputError(f"option {name} takes no value, but was given {value!r}")
    return [[name], *(_split(f"-{value}", rest) if value else [])]


def _full_name(name: str) -> str:
    known = FLAGS | VALUES | set(PROMPTS)
    if name in known:
        return name
    longer = sorted(option for option in known if name.startswith("--") and option.startswith(name))
    if len(longer) == 1:
        return longer[0]
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"; it could be {' or '.join(longer)}" if longer else f'. Did you mean "{close[0]}"?' if close else ""
    raise BadInputError(f'ansible-playbook has no option "{name}"{hint}')


def _refuse_prompt(option: str, *, interactive: bool) -> None:
    if option in PROMPTS:
        who = "a run of deskside has no terminal" if interactive else "nobody is there to answer"
        raise BadInputError(f"option {option} asks a question and {who}: {PROMPTS[option]}")


class TargetLister:
    """Asks Ansible which devices a command line means.

    Args:
        office_root: The office directory.
        inventory_sources: Used when the options name no inventory.
        cwd: Where relative paths start.
    """

    def __init__(self, office_root: Path, inventory_sources: Sequence[str], *, cwd: Path | None = None) -> None:
        self._office, self._cwd = office_root.resolve(), cwd or Path.cwd()
        self._inventory = [
            str(self._office / source) if (self._office / source).exists() else source for source in inventory_sources
        ]

    def list_hosts(self, playbook: str, options: Sequence[str] = (), *, limit: str | None = None) -> tuple[str, ...]:
        """Every device that any play of the playbook names, inside the limit, sorted.

        Raises:
            NotFoundError: There is no such playbook.
            InventoryError: Ansible cannot answer; its own words are in the message.
        """
        spec = playbook_spec(playbook, cwd=self._cwd, office=self._office)
        command = [program("ansible-playbook"), *options, "--list-hosts"]
        if not {"-i", "--inventory", "--inventory-file"} & set(options):
            command += [word for source in self._inventory for word in ("-i", source)]
        if limit is not None:
            command += ["--limit", limit]
        env = office_environment(OfficeConfig(self._office / "ansible.cfg"), os.environ) | {"ANSIBLE_NOCOLOR": "1"}
        env.pop("ANSIBLE_FORCE_COLOR", None)
        done = subprocess.run(
            [*command, spec.reference],
            capture_output=True, text=True, check=False, env=env, cwd=self._cwd, timeout=LIST_SECONDS, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode != 0 and NO_HOSTS in done.stderr:
            return ()
        if done.returncode != 0:
            raise InventoryError(f"ansible-playbook cannot list the devices of {playbook}: {' '.join(done.stderr.split())}")
        return parse_hosts(done.stdout)


def parse_hosts(text: str) -> tuple[str, ...]:
    """The hosts in the output of ``--list-hosts``; localhost is the controller, not a device."""
    found, inside = set(), False
    for line in text.splitlines():
        if re.match(r"\s+hosts \(\d+\):", line):
            inside = True
        elif inside and re.match(r" {6}\S", line):
            found.add(line.strip())
        else:
            inside = False
    return tuple(sorted(found - {"localhost", "127.0.0.1"}))
