"""One YAML file as plain values, with the place of every key and value.

Only what settings need: mappings, lists and scalars. Dates stay text, so that one parser with one message reads them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from orchestrator.application.errors import Problem
from orchestrator.domain.source import Source

type Steps = tuple[str | int, ...]

NODES_AT_MOST = 200_000  # aliases multiply; a file of settings never comes near this
_CORE = "tag:yaml.org,2002:"
JINJA = "there is no Jinja in deskside's own files: write the value itself, or put the template into group_vars or host_vars"


class VaultText(str):
    """The ciphertext of a ``!vault`` value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "***"


@dataclass(slots=True)
class Document:
    """A tree of values and where each stands. ``keys`` and ``places`` are indexed by the path from the root."""

    file: str
    value: Any = None
    places: dict[Steps, Source] = field(default_factory=dict)
    keys: dict[Steps, Source] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: Steps) -> Source:
        """The place of the value at ``path``, or of the nearest thing around it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return Source(self.file)

    def key_place(self, path: Steps) -> Source:
        """The place of the key at ``path``, or of its value."""
        return self.keys.get(path) or self.place(path)

    def get(self, path: Steps) -> Any:
        """The value at ``path``, ``None`` when there is none."""
        found = self.value
        for step in path:
            if isinstance(found, dict) and isinstance(step, str):
                found = found.get(step)
            elif isinstance(found, list) and isinstance(step, int) and step < len(found):
                found = found[step]
            else:
                return None
        return found


def thing_of(path: Steps) -> str:
    """Write a path the way people do: ``maintenance_windows.patch-night.rings[0].devices``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text or "(file)"


def read_document(path: Path, shown: str) -> Document:
    """Read one file. Every mistake in its form becomes a problem in the result; nothing is raised for bad content."""
    document = Document(file=shown)
    try:
        text = path.read_text(encoding="utf-8")
        node = YAML(typ="safe", pure=True).compose(text)
    except UnicodeDecodeError as error:
        document.problems.append(Problem(Source(shown), "(file)", f"is not UTF-8 text (byte {error.start}): save it as UTF-8"))
    except OSError as error:
        document.problems.append(Problem(Source(shown), "(file)", f"cannot be read: {error.strerror}"))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        source = Source(shown, mark.line + 1, mark.column + 1) if mark else Source(shown)
        document.problems.append(Problem(source, "(file)", f"is not valid YAML: {_yaml_problem(error)}"))
    except YAMLError as error:
        document.problems.append(Problem(Source(shown), "(file)", f"is not valid YAML: {str(error).splitlines()[0]}"))
    else:
        if node is not None:
            document.value = _Reader(document).value(node, ())
    return document


def _yaml_problem(error: MarkedYAMLError) -> str:
    text = error.problem or error.context or "something is wrong here"
    if "\\t" in text:
        return "a tab; indent with spaces"
    return f"{text}. Look at this line and at the one before it"


class _Reader:
    """Walks the node tree once."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.open: list[Node] = []
        self.seen = 0

    def value(self, node: Node, path: Steps) -> Any:
        place = self._source(node)
        self.document.places[path] = place
        self.seen += 1
        if node in self.open or self.seen > NODES_AT_MOST:
            return self._refuse(place, path, "an alias refers to what it is part of, or aliases multiply without end: write it out")
        self.open.append(node)
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, path)
            if isinstance(node, SequenceNode):
                return [self.value(child, (*path, index)) for index, child in enumerate(node.value)]
            return self._scalar(node, path)
        finally:
            self.open.pop()

    def _mapping(self, node: MappingNode, path: Steps) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, child in self._pairs(node):
            place = self._source(key)
            if not isinstance(key, ScalarNode):
                # `{{ x }}` without quotes is a mapping whose key is a mapping.
                jinja = isinstance(key, MappingNode)
                self._refuse(place, path, JINJA if jinja else "a key is a list: write a plain word")
                continue
            name = str(key.value)
            if name in found:
                first = self.document.keys[(*path, name)]
                self._refuse(place, (*path, name), f"is written twice, first in line {first.line}: keep one of them")
                continue
            self.document.keys[(*path, name)] = place
            found[name] = self.value(child, (*path, name))
        return found

    def _pairs(self, node: MappingNode) -> Iterator[tuple[Node, Node]]:
        """Own keys first, then those of merged mappings (``<<``) that it does not have itself."""
        own = {key.value for key, _ in node.value if isinstance(key, ScalarNode)}
        for key, child in node.value:
            if key.tag != f"{_CORE}merge":
                yield key, child
        for key, child in node.value:
            if key.tag == f"{_CORE}merge":
                for merged in child.value if isinstance(child, SequenceNode) else [child]:
                    fresh = [(k, v) for k, v in getattr(merged, "value", ()) if getattr(k, "value", None) not in own]
                    own.update(k.value for k, _ in fresh if isinstance(k, ScalarNode))
                    yield from fresh

    def _scalar(self, node: Node, path: Steps) -> Any:
        text = str(node.value)
        tag = str(node.tag)
        if tag == "!vault":
            return VaultText(text)
        if not tag.startswith(_CORE):
            return self._refuse(self._source(node), path, f'the tag "{tag}" means nothing here: only !vault does')
        if "{{" in text or "{%" in text:
            return self._refuse(self._source(node), path, JINJA)
        return _plain(tag.removeprefix(_CORE), text)

    def _refuse(self, place: Source, path: Steps, message: str) -> None:
        self.document.problems.append(Problem(place, thing_of(path), message))

    def _source(self, node: Node) -> Source:
        return Source(self.document.file, node.start_mark.line + 1, node.start_mark.column + 1)


def _plain(kind: str, text: str) -> Any:
    """The value of a scalar; dates and anything else unusual stay text."""
    match kind:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return _integer(text)
        case "float":
            return float(text.replace(".inf", "inf").replace(".nan", "nan"))
        case _:
            return text


def _integer(text: str) -> Any:
    try:
        return int(text.replace("_", ""), 0 if text.lstrip("+-").startswith(("0x", "0o", "0b")) else 10)
    except ValueError:
        return text
