"""What the lab says when it cannot go on."""

from __future__ import annotations


class LabError(Exception):
    """The lab refuses: the message names the thing, the value and the remedy."""


class AskedWrongError(LabError):
    """Something was named that does not exist, or asked for that cannot be; nothing was changed."""


class CannotRunError(LabError):
    """This machine cannot run containers, or lacks a package; the message holds the exact line to run."""
