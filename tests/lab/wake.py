"""Listens on the lab's network for magic packets and switches on the device one was meant for, as a network card would.

Run as a process of its own by ``up``: ``python -m deskside_lab.wake INTERFACE STATE-DIR LAB-NAME``; it reads ``wake.json`` in the
state directory (card address to device name) and writes every packet to ``wol.log`` there. ``down`` ends it.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from .containers import start as switch_on
from .containers import states
from .errors import LabError
from .network import interface
from .processes import alive, detach, end, eventually, module, remember
from .state import State

PORT = 9
LOOK_AGAIN = 10.0
SYNC = b"\xff" * 6


def target(packet: bytes) -> str | None:
    """The card address a magic packet names (six bytes of 255, then the address sixteen times), or ``None``."""
    begin = packet.find(SYNC)
    body = packet[begin + 6 :]
    if begin < 0 or len(body) < 96 or body[:96] != body[:6] * 16:
        return None
    return body[:6].hex(":")


def magic_packet(mac: str) -> bytes:
    """The packet that wakes a card."""
    return SYNC + bytes.fromhex(mac.replace(":", "")) * 16


def start(state: State, wakeable: Mapping[str, str]) -> None:
    """Start the listener of a lab, unless it runs.

    Args:
        state: The lab.
        wakeable: Card address to device name; other cards sleep on.

    Raises:
        LabError: It did not come up.
    """
    (state.path / "wake.json").write_text(json.dumps({mac.lower(): name for mac, name in wakeable.items()}))
    pid_file = state.path / "wake.pid"
    if alive(pid_file):
        return
    pid_file.unlink(missing_ok=True)
    said = state.path / "wake.err"
    detach(module("deskside_lab.wake", interface(state), str(state.path), state.name), said)
    if not eventually(lambda: alive(pid_file), patience=30):
        raise LabError(f"the listener for magic packets did not start: {said.read_text()[-400:]}")


def stop(state: State) -> None:
    """End the listener of a lab."""
    end(state.path / "wake.pid")


def listen(network: str, state: State) -> None:
    """Serve one packet after the other, until ended or until the lab's directory is gone."""
    pid_file = state.path / "wake.pid"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, network.encode())
        door.bind(("", PORT))
        door.settimeout(LOOK_AGAIN)
        remember(os.getpid(), pid_file)
        while alive(pid_file) == os.getpid():
            with suppress(TimeoutError):
                packet, sender = door.recvfrom(2048)
                answer(state, target(packet), sender[0])


def answer(state: State, mac: str | None, sender: str) -> None:
    """Switch on the device a packet names, if it is one that listens; write down what was done."""
    wakeable: dict[str, str] = json.loads((state.path / "wake.json").read_text())
    name = wakeable.get(mac or "")
    done = "not a magic packet" if mac is None else "no device of this lab listens for it"
    if name:
        done = _wake(state, name)
    with (state.path / "wol.log").open("a") as log:
        log.write(f"{datetime.now(tz=UTC):%Y-%m-%dT%H:%M:%S.%fZ} from {sender} for {mac or '-'}: {done}\n")


def _wake(state: State, name: str) -> str:
    try:
        if states(state).get(name) == "running":
            return f"{name} is awake"
        switch_on(state, name)
    except LabError as error:
        return f"{name} did not start: {error}"
    return f"{name} woken"


if __name__ == "__main__":
    listen(sys.argv[1], State(sys.argv[3], Path(sys.argv[2])))
