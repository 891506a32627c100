"""Who may do what. One question for every use case, so that the web, the API and support tiers add no new path."""

from __future__ import annotations

from orchestrator.application.errors import NotAllowedError
from orchestrator.application.ports import Actor
from orchestrator.domain.verdict import Allow, Deny, Verdict

WAYS = frozenset({"cli", "daemon"})
"""Ways whose actors the operating system has vouched for: they can read and write the state directory."""


def may(actor: Actor, action: str, thing: str) -> Verdict:
    """May this actor do that to this thing. Doubt means no: an unnamed actor or an unknown way is refused."""
    if actor.via not in WAYS:
        return Deny(
            rule="way", reason=f'{actor.name} may not {action} {thing}: nobody has rights over "{actor.via}" in this version'
        )
    if not actor.name:
        return Deny(rule="unnamed", reason=f"somebody without a name may not {action} {thing}")
    return Allow()


def demand(actor: Actor, action: str, thing: str) -> None:
    """Go on only when allowed.

    Raises:
        NotAllowedError: The reason of the refusal.
    """
    verdict = may(actor, action, thing)
    if isinstance(verdict, Deny):
        raise NotAllowedError(verdict.reason)
