"""First stage: the main file and its fragments become one document that still knows where everything stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.application.errors import Problem
from orchestrator.config.documents import Document, Steps, read_document, thing_of
from orchestrator.config.paths import FRAGMENTS, MAIN_FILE, PEOPLE_FILE

_MERGED_BY_NAME = frozenset({"sites", "maintenance_windows", "priors", "channels"})
_JOINED = frozenset({"freezes", "inventory"})


def shown_path(path: Path) -> str:
    """The path as a person in the present directory would type it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def read_maintenance(root: Path) -> Document:
    """Read maintenance.yml and maintenance.d/*.yml, in the order of their names, as one document."""
    main = root / MAIN_FILE
    merged = Document(file=shown_path(main), value={})
    if not main.is_file():
        merged.problems.append(Problem(_at(merged), "(file)", "does not exist: make an office directory with deskside init"))
    fragments = sorted((root / FRAGMENTS).glob("*.yml")) if (root / FRAGMENTS).is_dir() else []
    for path in [main, *fragments] if main.is_file() else fragments:
        _add(merged, read_document(path, shown_path(path)))
    return merged


def read_people(root: Path) -> Document:
    """Read people.yml; an office without one knows nobody."""
    path = root / PEOPLE_FILE
    if not path.is_file():
        return Document(file=shown_path(path), value={})
    document = read_document(path, shown_path(path))
    if document.value is None and not document.problems:
        document.value = {}
    return document


def _at(document: Document) -> Any:
    return document.place(())


def _add(merged: Document, part: Document) -> None:
    merged.problems += part.problems
    if part.value is None:
        return
    if not isinstance(part.value, dict):
        merged.problems.append(
            Problem(part.place(()), "(file)", "is not a mapping: the file consists of keys such as maintenance_windows:")
        )
        return
    merged.places.setdefault((), part.place(()))
    for key, value in part.value.items():
        _add_key(merged, part, key, value)


def _add_key(merged: Document, part: Document, key: str, value: Any) -> None:
    present = merged.value.get(key)
    if key not in merged.value:
        merged.value[key] = value
        _copy_places(merged, part, (key,), (key,))
    elif key in _JOINED and isinstance(present, list) and isinstance(value, list):
        for index, item in enumerate(value):
            _copy_places(merged, part, (key, index), (key, len(present)))
            present.append(item)
    elif key in _MERGED_BY_NAME and isinstance(present, dict) and isinstance(value, dict):
        for name, item in value.items():
            _add_name(merged, part, (key, name), present, item)
    else:
        _twice(merged, part, (key,))


def _add_name(merged: Document, part: Document, path: Steps, present: dict[str, Any], item: Any) -> None:
    if path[-1] in present:
        _twice(merged, part, path)
        return
    present[str(path[-1])] = item
    _copy_places(merged, part, path, path)


def _twice(merged: Document, part: Document, path: Steps) -> None:
    message = f"stands in two places: also in {merged.key_place(path)}. Keep one of them."
    merged.problems.append(Problem(part.key_place(path), thing_of(path), message))


def _copy_places(merged: Document, part: Document, source: Steps, target: Steps) -> None:
    length = len(source)
    for table, into in ((part.places, merged.places), (part.keys, merged.keys)):
        for path, place in table.items():
            if path[:length] == source:
                into[(*target, *path[length:])] = place
