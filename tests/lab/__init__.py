"""The lab: a small office of systemd containers on one machine, for demos, Molecule and tests.

``from deskside_lab import Lab`` gives the Python side; ``deskside lab`` is the command line over it.
"""

from __future__ import annotations

from .errors import LabError
from .lab import Lab

__all__ = ["Lab", "LabError"]
