# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stream callback lets out of a result: compact, censored, without a decrypted vault value.

FOR INTERNAL COLLECTION USE ONLY.
"""

# ruff: noqa: SLF001 - what is loaded of a vault, and the ciphertext of a value, have no public name in ansible-core
from __future__ import annotations

from ansible.parsing.vault import EncryptedString

try:  # private: whole files that were encrypted; without it only single values are masked (docs/decisions/0003)
    from ansible._internal._datatag._tags import SourceWasEncrypted, VaultedValue
except ImportError:
    SourceWasEncrypted = VaultedValue = None

TEXT_AT_MOST = 8192
ITEMS_AT_MOST = 50
HIDDEN = "[hidden]"
SHORTEST_PART = 4
_DROPPED = frozenset({"invocation", "ansible_facts", "stdout_lines", "stderr_lines", "diff", "exception"})


def compact(res, censored):
    """The part of a result that the orchestrator needs; ``deskside`` passes whole, it is the contract."""
    if censored or res.get("_ansible_no_log") or "censored" in res:
        return {"censored": True, "changed": bool(res.get("changed", False))}
    kept = {key: value for key, value in res.items() if not key.startswith("_ansible") and key not in _DROPPED}
    return {key: value if key == "deskside" else shorten(value) for key, value in kept.items()}


def shorten(value):
    """Cut long texts in the middle and long lists at the end, at every depth."""
    if isinstance(value, dict):
        return {
            str(key): shorten(item) for key, item in value.items() if not str(key).startswith("_ansible") and key not in _DROPPED
        }
    if isinstance(value, (list, tuple)):
        return [shorten(item) for item in list(value)[:ITEMS_AT_MOST]]
    if isinstance(value, str) and len(value) > TEXT_AT_MOST:
        half = TEXT_AT_MOST // 2
        return value[:half] + "\n[...]\n" + value[-half:]
    return value


class Mask:
    """Replaces decrypted vault values. Costs nothing where no vault secret is loaded."""

    def __init__(self):
        self._known = {}
        self._hosts = {}

    def clean(self, res, task, host):
        """``res`` without any vaulted value that ``host`` can see."""
        manager = task.play.get_variable_manager() if getattr(task, "play", None) else None
        loader = task.get_loader()
        if manager is None or loader is None or not loader._vault.secrets:
            return res
        name = host.get_name()
        if name not in self._hosts:
            self._hosts[name] = self._secrets(manager.get_vars(play=task.play, host=host, include_hostvars=False))
        return mask(res, self._hosts[name]) if self._hosts[name] else res

    def _secrets(self, variables):
        found = set()
        self._collect(variables, found)
        return frozenset(found)

    def _collect(self, value, found):
        if isinstance(value, EncryptedString):
            found.add(self._decrypted(value))
        elif isinstance(value, dict):
            for item in value.values():
                self._collect(item, found)
        elif isinstance(value, (list, tuple)):
            for item in value:
                self._collect(item, found)
        elif (
            isinstance(value, str)
            and SourceWasEncrypted
            and (SourceWasEncrypted.is_tagged_on(value) or VaultedValue.is_tagged_on(value))
        ):
            found.add(str(value))

    def _decrypted(self, value):
        key = value._ciphertext
        if key not in self._known:
            try:
                self._known[key] = str(value)
            except Exception:  # noqa: BLE001 - an id we have no secret for: then nothing can have been decrypted with it either
                self._known[key] = ""
        return self._known[key]


def mask(value, secrets):
    """``value`` with every secret replaced, at every depth. Very short secrets are replaced only where they stand alone."""
    if isinstance(value, dict):
        return {mask(str(key), secrets): mask(item, secrets) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [mask(item, secrets) for item in value]
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return _mask_text(value, secrets)
    return value


def _mask_text(value, secrets):
    text = str(value)
    if text in secrets and text:
        return HIDDEN
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST_PART and secret in text:
            text = text.replace(secret, HIDDEN)
    return text if text != str(value) else value
