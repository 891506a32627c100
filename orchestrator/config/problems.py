"""Validation errors as sentences with file, line and remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from orchestrator.application.errors import Problem
from orchestrator.config.documents import Document, Steps, thing_of
from orchestrator.config.scalars import did_you_mean, quoted
from orchestrator.config.schema import Part
from orchestrator.config.values import OURS

_TYPES = {
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "list_type": "a list",
    "tuple_type": "a list",
    "string_type": "a text",
}


def problems_of(errors: Sequence[ErrorDetails], document: Document, root: Any) -> Iterator[Problem]:
    """Translate pydantic's errors about one document.

    Args:
        errors: What `ValidationError.errors()` returned.
        document: Where the values came from.
        root: The model or annotation that was validated.
    """
    refused = {problem.thing for problem in document.problems}
    later = {_path(error["loc"], document)[:-1] for error in errors if _is_later(error, document, root)}
    for error in errors:
        path = _path(error["loc"], document)
        consequence = (
            thing_of(path) in refused  # what could not be read has its problem already
            or (error["type"] == "missing" and path[:-1] in later)  # another way to say it, of a later version
            or (error["type"] == "too_short" and document.get(path))  # pydantic does not count entries with errors
        )
        if not consequence:
            yield _problem(error, document, root)


def _is_later(error: ErrorDetails, document: Document, root: Any) -> bool:
    path = _path(error["loc"], document)
    part = _part_around(path, root)
    return error["type"] == "extra_forbidden" and part is not None and path[-1] in part.LATER


def _problem(error: ErrorDetails, document: Document, root: Any) -> Problem:
    kind = error["type"]
    path = _path(error["loc"], document)
    thing = thing_of(path)
    if kind == "extra_forbidden":
        return Problem(document.key_place(path), thing, _unknown_key(path, root))
    if kind == "missing":
        return Problem(document.key_place(path[:-1]), thing, _missing(path, root))
    value = error["input"]
    if kind == "literal_error":
        return Problem(document.place(path), thing, _not_one_of(value, path, root, error))
    if kind == OURS:
        at_key = error["loc"][-1] == "[key]"
        return Problem(document.key_place(path) if at_key else document.place(path), thing, error["msg"])
    if kind == "too_short":
        return Problem(document.place(path), thing, "is empty: write at least one, or remove the key")
    wanted = _TYPES.get(kind)
    return Problem(
        document.place(path), thing, f"{quoted(value)} is not {wanted}" if wanted else f"{quoted(value)}: {error['msg']}"
    )


def _path(loc: Sequence[str | int], document: Document) -> Steps:
    """Pydantic's location as a path of the file: without its own marks, without the index of a single mapping."""
    path: Steps = ()
    for step in loc:
        if step == "[key]":
            continue
        if isinstance(step, int) and not isinstance(document.get(path), list):
            continue
        path = (*path, step)
    return path


def _part_around(path: Steps, root: Any) -> type[Part] | None:
    """The model of the mapping in which the last key of a path stands; one mapping may stand for a list of them."""
    return part_at(root, path[:-1]) or part_at(root, (*path[:-1], 0))


def _unknown_key(path: Steps, root: Any) -> str:
    part = _part_around(path, root)
    key = str(path[-1])
    if part is None:
        return "is not a key: remove it"
    if key in part.LATER:
        return "not enforced by this version; remove it"
    known = keys_of(part)
    return f"there is no such key here.{did_you_mean(key, list(known)) or ' Known: ' + ', '.join(known)}"


def _missing(path: Steps, root: Any) -> str:
    part = _part_around(path, root)
    info = keys_of(part).get(str(path[-1])) if part else None
    meaning = (info.description or "").split(":")[0].rstrip(".") if info else ""
    if not meaning:
        return "is missing"
    return f"is missing: {meaning}" if meaning[1:2].isupper() else f"is missing: {meaning[0].lower()}{meaning[1:]}"


def _not_one_of(value: Any, path: Steps, root: Any, error: ErrorDetails) -> str:
    part = _part_around(path, root)
    field = str(path[-1])
    if part is not None and value in part.LATER_VALUES.get(field, frozenset()):
        return f"{quoted(value)}: not enforced by this version; remove it"
    expected = str(error.get("ctx", {}).get("expected", "")).replace("'", "")
    words = [word for word in expected.replace(" or ", ", ").split(", ") if word]
    hint = did_you_mean(str(value), words)
    return (
        f"{quoted(value)} is not possible here: write {expected}.{hint}"
        if hint
        else f"{quoted(value)} is not possible here: write {expected}"
    )


def keys_of(part: type[Part]) -> Mapping[str, FieldInfo]:
    """The keys of a mapping as they are written, in order."""
    return {info.alias or name: info for name, info in part.model_fields.items()}


def part_at(root: Any, path: Steps) -> type[Part] | None:
    """The model that describes the mapping at a path of the file, ``None`` when a free mapping or nothing is there."""
    annotation: Any = root
    for step in path:
        annotation = _step(annotation, step)
    found = _strip(annotation)
    return found if isinstance(found, type) and issubclass(found, Part) else None


def _step(annotation: Any, step: str | int) -> Any:
    kind = _strip(annotation)
    if isinstance(step, str) and isinstance(kind, type) and issubclass(kind, BaseModel):
        info = keys_of(kind).get(step) if issubclass(kind, Part) else None
        return info.annotation if info else None
    arguments = get_args(kind)
    if get_origin(kind) is tuple and isinstance(step, str):  # one mapping where a list may stand
        return _step(arguments[0], step)
    if get_origin(kind) in {tuple, list}:
        return arguments[0]
    return arguments[1] if get_origin(kind) is dict and isinstance(step, str) else None


def _strip(annotation: Any) -> Any:
    """Without ``Annotated`` and without ``| None``."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in {Union, UnionType}:
        inner = [each for each in get_args(annotation) if each is not type(None)]
        return _strip(inner[0]) if len(inner) == 1 else annotation
    return annotation


def unique(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """In the order of the files; of several about one place only the first, because the others follow from it."""
    first: dict[tuple[str, int, int, str], Problem] = {}
    for problem in problems:
        source = problem.source
        thing = problem.thing if "is missing" in problem.message or not source.line else ""
        first.setdefault((source.file, source.line, source.column, thing), problem)
    files = list(dict.fromkeys(problem.source.file for problem in first.values()))
    return tuple(
        sorted(first.values(), key=lambda problem: (files.index(problem.source.file), problem.source.line, problem.source.column))
    )


def render(problems: Sequence[Problem]) -> str:
    """The text a technician reads: by file, places aligned."""
    lines: list[str] = []
    for file in dict.fromkeys(problem.source.file for problem in problems):
        rows = [(_where(each), each.thing, each.message) for each in problems if each.source.file == file]
        places, things = (max(len(row[column]) for row in rows) for column in (0, 1))
        lines.append(file)
        lines += [f"  {where:<{places}}   {thing:<{things}}   {message}" for where, thing, message in rows]
    return "\n".join(lines)


def _where(problem: Problem) -> str:
    source = problem.source
    return f"{source.line}:{source.column}" if source.line else "-"
