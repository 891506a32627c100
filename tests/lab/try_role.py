"""Runs Molecule scenarios on the lab's instances: in this repository (``make molecule``) and outside it.

    python -m deskside_lab.try_role [--platform debian12] [--lab NAME] SCENARIO…

Run it where ``molecule/<scenario>/molecule.yml`` (or ``tests/molecule/…``) is. The lab ``molecule`` (``--lab`` names another) is started when it is not up.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

import yaml

from .errors import LabError
from .images import PLATFORMS
from .lab import Lab

LAB = "molecule"
FOLDERS = ("tests/molecule", "molecule")


def scenarios(root: Path) -> dict[str, Path]:
    """Every scenario below a directory, by name."""
    found = [path for folder in FOLDERS for path in sorted((root / folder).glob("*/molecule.yml"))]
    return {path.parent.name: path.parent for path in found}


def inventory(lab: Lab, platform: str | None, folder: Path) -> Path:
    """The instances, or only those of one platform: Molecule's own choice of platforms does not reach a linked inventory."""
    every = lab.state.molecule / "inventory.yml"
    if platform is None:
        return every
    groups = yaml.safe_load(every.read_text())["all"]["children"]
    chosen = folder / f"instances-{platform}.yml"
    chosen.write_text(yaml.safe_dump({"all": {"children": {platform: groups[platform]}}}))
    return chosen


def environment(instances: Path, lab: Lab, root: Path, ephemeral: Path) -> dict[str, str]:
    """What Molecule and the shared configuration need to know."""
    folder = next(iter(scenarios(root).values())).parent
    programs = str(Path(sys.executable).parent)
    added = {
        "MOLECULE_GLOB": f"{folder.relative_to(root)}/*/molecule.yml",
        "MOLECULE_EPHEMERAL_DIRECTORY": str(ephemeral),
        "DESKSIDE_MOLECULE_LAB": lab.name,
        "DESKSIDE_MOLECULE_INVENTORY": str(instances),
        "ANSIBLE_ROLES_PATH": str(root / "roles"),
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}",
    }
    return {**os.environ, **added}


def try_scenario(
    name: str,
    *,
    platform: str | None = None,
    root: Path | None = None,
    lab: Lab | None = None,
    collections: Path | None = None,
    log: Path | None = None,
) -> int:
    """Run one scenario from its prepare to its verify step; the status is Molecule's.

    ``collections``: where Ansible looks for collections first. ``log``: the output goes there.

    Raises:
        LabError: There is no such scenario or platform, or the lab does not come up.
    """
    root = root or Path.cwd()
    known = scenarios(root)
    if name not in known:
        raise LabError(f"there is no scenario {name!r} in {root}; there are: {', '.join(known) or 'none'}")
    if platform is not None and platform not in PLATFORMS:
        raise LabError(f"platform {platform!r}: one of {', '.join(PLATFORMS)}")
    if importlib.util.find_spec("molecule") is None:
        raise LabError("Molecule is not installed in this environment: pip install molecule")
    lab = lab or started()
    scratch = Path(tempfile.mkdtemp(prefix="dsk-mol-"))
    ephemeral = scratch / "molecule"
    shared = root / ".config/molecule/config.yml"  # Molecule finds it by itself only in a git checkout
    argv = [sys.executable, "-m", "molecule", *(["--base-config", str(shared)] if shared.exists() else [])]
    argv += ["test", "--scenario-name", name, *(["--platform-name", f"mol-{platform}"] if platform else [])]
    try:
        variables = environment(inventory(lab, platform, scratch), lab, root, ephemeral)
        if collections:
            variables["ANSIBLE_COLLECTIONS_PATH"] = str(collections)
        with log.open("w") if log else nullcontext() as output:
            ended = subprocess.run(argv, cwd=root, env=variables, stdout=output, stderr=output, check=False, timeout=1800)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return ended.returncode


def started(name: str = LAB) -> Lab:
    """The lab with Molecule's instances, up."""
    lab = Lab(name, say=lambda line: print(line, file=sys.stderr))
    lab.up("molecule")
    return lab


def main(arguments: list[str] | None = None) -> int:
    """Run the named scenarios, all when none is named; goes on after a failure and names what failed."""
    parser = argparse.ArgumentParser(
        prog="python -m deskside_lab.try_role", description="Test roles with Molecule on the lab's devices."
    )
    parser.add_argument("scenario", nargs="*", help="name of a scenario; all when none is given")
    parser.add_argument("--platform", choices=sorted(PLATFORMS), help="only this platform")
    parser.add_argument("--lab", default=LAB, metavar="NAME", help=f"name of the lab that has the instances, {LAB} when left out")
    given = parser.parse_args(arguments)
    try:
        lab = started(given.lab)
        names = given.scenario or list(scenarios(Path.cwd()))
        failed = [name for name in names if try_scenario(name, platform=given.platform, lab=lab) != 0]
    except LabError as error:
        print(error, file=sys.stderr)
        return 2
    if failed:
        print(f"red: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
