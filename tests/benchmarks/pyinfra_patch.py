"""The same night for pyinfra. It is read once per run by pyinfra, in its own way."""

from __future__ import annotations

import os
from pathlib import Path

from pyinfra import host
from pyinfra.operations import apt, python, server

apt.update(name="Ensure that the package lists are fresh", cache_time=3600)
listed = server.shell(name="List what is pending", commands=["apt list --upgradable 2>/dev/null"])
apt.upgrade(name="Ensure that packages are up to date")
restart = server.shell(name="Ask whether a restart is due", commands=["test ! -e /run/reboot-required || echo reboot-required"])


def tell() -> None:
    """Write down what the device said."""
    (Path(os.environ["BENCH_OUT"]) / host.name).write_text(f"{listed.stdout}\n{restart.stdout}\nfinished\n", encoding="utf-8")


python.call(name="Write down what it said", function=tell)
