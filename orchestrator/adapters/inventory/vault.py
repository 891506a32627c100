"""One ``!vault`` value, decrypted when it is used, with the office's own vault password."""

from __future__ import annotations

from pathlib import Path

from orchestrator.adapters.inventory.process import ask
from orchestrator.application.errors import InventoryError

TIMEOUT = 60.0


def decrypt_vault_text(root: Path, ciphertext: str) -> str:
    """Decrypt one value through Ansible, in a process of its own, over pipes.

    Args:
        root: The office directory, whose ansible.cfg names the vault password.
        ciphertext: ``$ANSIBLE_VAULT;…``.

    Raises:
        InventoryError: There is no password, or it is the wrong one. The message shows neither value nor password.
    """
    answer = ask("decrypter.py", {"ciphertext": ciphertext}, root=root, timeout=TIMEOUT)
    if "error" in answer:
        raise InventoryError(
            f"a !vault value cannot be decrypted: {answer['error']}. Name the password in ansible.cfg: vault_password_file = PATH"
        )
    return str(answer["value"])
