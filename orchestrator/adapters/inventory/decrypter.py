"""Runs in a Python process of its own: decrypts one vault text. Question on stdin, answer on stdout, nothing in an argument."""

from __future__ import annotations

import json
import os
import sys


def main() -> int:
    """Answer the one question."""
    question = json.load(sys.stdin)
    answer_fd = os.dup(1)
    os.dup2(2, 1)
    try:
        answer = {"value": _decrypt(question["ciphertext"])}
    except Exception as error:  # noqa: BLE001 - the answer says what went wrong
        answer = {"error": " ".join(str(error).split()).rstrip(".")}
    with os.fdopen(answer_fd, "w", encoding="utf-8") as out:
        json.dump(answer, out)
    return 0


def _decrypt(ciphertext: str) -> str:
    from ansible import constants
    from ansible.cli import CLI
    from ansible.parsing.dataloader import DataLoader
    from ansible.parsing.vault import VaultLib

    # The same lookup as of every Ansible program: identity list and password file of ansible.cfg; asking is not possible.
    secrets = CLI.setup_vault_secrets(DataLoader(), vault_ids=list(constants.DEFAULT_VAULT_IDENTITY_LIST), ask_vault_pass=False)
    return bytes(VaultLib(secrets).decrypt(ciphertext.encode())).decode()


if __name__ == "__main__":
    sys.exit(main())
