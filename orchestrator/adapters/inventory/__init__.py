"""The office's inventory, read through Ansible itself, and the small compiled inventory of one job."""

from __future__ import annotations

from orchestrator.adapters.inventory.compiled import compile_inventory, compiled_text
from orchestrator.adapters.inventory.source import AnsibleInventory
from orchestrator.adapters.inventory.vault import decrypt_vault_text

__all__ = ["AnsibleInventory", "compile_inventory", "compiled_text", "decrypt_vault_text"]
