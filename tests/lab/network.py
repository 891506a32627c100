"""The networks of the labs: 10.99.7.0/24 for the office, a free one of 10.99.8.0/24 … 10.99.60.0/24 for every other lab."""

from __future__ import annotations

import json
from typing import Any

from .errors import AskedWrongError, LabError
from .host import podman
from .processes import run
from .state import DEFAULT_NAME, OFFICE_OCTET, OTHER_OCTETS, State

OWNER = "deskside.state"


def ensure_network(state: State, octet: int | None) -> int:
    """Make the network of a lab, or find it again.

    Args:
        state: The lab.
        octet: The third octet it had before, if it ever had one.

    Returns:
        The third octet of its subnet.

    Raises:
        LabError: The subnet belongs to something else, or none is free.
    """
    there = _inspect(state.network)
    if there:
        _refuse_stranger(state, there)
        return int(str(there["subnets"][0]["subnet"]).split(".")[2])
    wanted = [octet] if octet else ([OFFICE_OCTET] if state.name == DEFAULT_NAME else list(OTHER_OCTETS))
    reason = ""
    for third in wanted:
        subnet = f"10.99.{third}.0/24"
        flags = ("--disable-dns", "--subnet", subnet, "--label", f"{OWNER}={state.path}")
        done = run(podman("network", "create", *flags, state.network), check=False)
        if done.returncode == 0:
            return third
        reason = done.stderr.strip()
    raise LabError(f"lab {state.name}: no network of its own in 10.99.{wanted[0]}.0/24 … 10.99.{wanted[-1]}.0/24: {reason}")


def _owner(there: dict[str, Any]) -> str:
    return str((there.get("labels") or {}).get(OWNER, "something that is no lab"))


def belongs_to_another(state: State) -> bool:
    """Whether the lab of this name that is up here was made from another directory."""
    there = _inspect(state.network)
    return there is not None and _owner(there) != str(state.path)


def _refuse_stranger(state: State, there: dict[str, Any]) -> None:
    owner = _owner(there)
    if owner != str(state.path):
        raise AskedWrongError(
            f"a lab called {state.name} is already up for {owner}. Take it down there (`deskside lab down`), "
            f"or give this one another name: --name NAME or DESKSIDE_LAB=NAME"
        )


def _inspect(name: str) -> dict[str, Any] | None:
    done = run(podman("network", "inspect", name), check=False)
    if done.returncode:
        return None
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found[0]


def interface(state: State) -> str:
    """The name of the lab's bridge on this machine.

    Raises:
        LabError: The lab has no network.
    """
    there = _inspect(state.network)
    if not there:
        raise LabError(f"lab {state.name} has no network; run `deskside lab up --name {state.name}`")
    return str(there["network_interface"])


def remove_network(state: State) -> None:
    """Remove the lab's network, if it is this lab's."""
    there = _inspect(state.network)
    if there and _owner(there) == str(state.path):
        run(podman("network", "rm", "--force", state.network))
