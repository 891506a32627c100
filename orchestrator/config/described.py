"""JSON Schema, commented sample and reference page, all from the models: prose that cannot drift from the loader."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from datetime import time, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Any

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticUndefined

from orchestrator.config.problems import keys_of, part_at
from orchestrator.config.schema import MaintenanceFile, Part, PersonPart, WindowPart
from orchestrator.config.values import KIND, Name
from orchestrator.domain.person import WorkingHours

DIALECT = "https://json-schema.org/draft/2020-12/schema"
WIDTH = 110


class OfficeFile(StrEnum):
    """The files a technician writes."""

    MAINTENANCE = "maintenance.yml"
    PEOPLE = "people.yml"


ROOTS: Mapping[OfficeFile, Any] = {OfficeFile.MAINTENANCE: MaintenanceFile, OfficeFile.PEOPLE: dict[Name, PersonPart]}


class _Untitled(GenerateJsonSchema):
    """Pydantic's titles repeat the keys in other letters."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False


def json_schema(file: OfficeFile) -> dict[str, Any]:
    """The JSON Schema of one file, for editors."""
    found = TypeAdapter(ROOTS[file]).json_schema(by_alias=True, schema_generator=_Untitled)
    return {"$schema": DIALECT, **_without_null(found), "title": file.value}


def _without_null(schema: Any) -> Any:
    """An empty value is an error in our files, so the schema does not offer it."""
    if isinstance(schema, list):
        return [_without_null(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _without_null(value) for key, value in schema.items() if key != "default" or value is not None}
    if "patternProperties" in kept:
        kept["additionalProperties"] = False  # a name that does not fit the pattern is no name
    choices = [each for each in kept.get("anyOf", ()) if each != {"type": "null"}]
    if len(choices) == 1:
        return {**choices[0], **{key: value for key, value in kept.items() if key != "anyOf"}}
    return {**kept, "anyOf": choices} if choices else kept


# -- values as they are written --------------------------------------------------------------------------------------


def shown(value: Any) -> str:
    """A default as it would stand in the file."""
    match value:
        case bool():
            return str(value).lower()
        case timedelta():
            return _duration(value)
        case Fraction():
            return f"{float(value * 100):g}%"
        case time():
            return f'"{value:%H:%M}"'
        case WorkingHours():
            return "09:00-17:00 mon-fri"
        case _:
            return flow(value)


def _duration(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts) or "0m"


_PLAIN = re.compile(r"[A-Za-z][\w ./@+-]*|\d+[smhdw%]|\d{4}-\d\d-\d\d")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def flow(value: Any) -> str:
    """A value in YAML's one-line form."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and value.lower() not in _WORDS else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


# -- the sample ------------------------------------------------------------------------------------------------------


def sample(file: OfficeFile) -> str:
    """A complete, commented file that loads as it is. Alternatives that exclude each other are commented out."""
    if file is OfficeFile.PEOPLE:
        head = ["---", "# Everybody who uses a device (deskside_users in the inventory). The key never changes.", "", "ada:"]
        return "\n".join([*head, *_keys(PersonPart, "  ")]) + "\n"
    intro = _comment((MaintenanceFile.__doc__ or "").strip(), "")
    return "\n".join(["---", *intro, *_keys(MaintenanceFile, "", spaced=True)]) + "\n"


def _keys(part: type[Part], indent: str, *, spaced: bool = False) -> Iterator[str]:
    for key, info in keys_of(part).items():
        if spaced:
            yield ""
        yield from _comment(_sentence(info), indent)
        alternative = key in part.EXACTLY_ONE[1:]
        for line in _value(part, key, info, indent):
            yield f"{indent}# {line[len(indent) :]}" if alternative else line


def _sentence(info: FieldInfo) -> str:
    description = info.description or ""
    if info.is_required():
        return f"{description} Required."
    default = info.get_default(call_default_factory=True, validated_data={})
    return f"{description} Default: {shown(default)}." if _worth_showing(default, description) else description


def _worth_showing(default: Any, description: str) -> bool:
    empty = default in (None, (), {}, PydanticUndefined) or isinstance(default, Part)
    return not empty and "Default:" not in description


def _comment(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ", break_on_hyphens=False)


def _value(part: type[Part], key: str, info: FieldInfo, indent: str) -> Iterator[str]:
    inner = part_at(part, (key,))
    listed, named = part_at(part, (key, 0)), part_at(part, (key, "*"))
    if inner is not None:
        yield f"{indent}{key}:"
        yield from _keys(inner, f"{indent}  ")
    elif listed is not None:
        yield f"{indent}{key}:"
        yield from _item(listed, info, f"{indent}  ")
    elif named is not None:
        yield f"{indent}{key}:"
        yield f"{indent}  {info.examples[0] if info.examples else 'name'}:"
        yield from _keys(named, f"{indent}    ", spaced=named is WindowPart)
    else:
        yield f"{indent}{key}: {flow(info.examples[0] if info.examples else None)}"


def _item(part: type[Part], info: FieldInfo, indent: str) -> Iterator[str]:
    """One list entry with every key explained, then short ones from the examples."""
    lines = [line for line in _keys(part, f"{indent}  ") if line.strip()]
    first = next(index for index, line in enumerate(lines) if not line.lstrip().startswith("#"))
    yield from lines[:first]
    yield f"{indent}- {lines[first].lstrip()}"
    yield from lines[first + 1 :]
    for example in info.examples or ():
        yield f"{indent}- {flow(example)}"


# -- the reference page ----------------------------------------------------------------------------------------------


def reference() -> str:
    """docs/reference/settings.md."""
    parts: dict[type[Part], str] = {}
    _collect(MaintenanceFile, "maintenance.yml", parts)
    _collect(PersonPart, "people.yml: one person", parts)
    lines = [
        "# Settings",
        "",
        "<!-- Written by `deskside config schema --markdown` from orchestrator/config/schema.py. Do not edit. -->",
        "",
        "Every key of the files in an office directory. A key that is not here is an error; so is one that this version",
        "does not enforce. `deskside config sample` prints a complete commented file, `deskside config check` reads yours.",
        "",
    ]
    for part, title in parts.items():
        lines += [f"## {title}", "", (part.__doc__ or "").strip(), ""]
        lines += ["| key | value | default | meaning |", "| --- | --- | --- | --- |", *_rows(part, parts), ""]
    return "\n".join([*lines, *_VALUES])


_VALUES = [
    "## Values",
    "",
    "| value | written like |",
    "| --- | --- |",
    "| duration | `90s`, `45m`, `5h`, `1h30m`, `3d`, `2w` |",
    "| share | `95%`, `7.5%` |",
    '| time of day | `"22:00"`, wall time of the zone named beside it |',
    "| date | `2026-12-09` |",
    "| Ansible pattern | as in `--limit`: `workstations:servers:!lab` |",
    '| working hours | `"09:00-17:00 mon-fri"`, `"08:00-12:00 mon,wed"` |',
    '| sender | `"IT maintenance <it@example.org>"` |',
    "| reference to a secret | `!vault`, `{env: NAME}`, `{file: PATH}`; never the secret itself |",
    "",
    "There is no Jinja in these files. Parts of maintenance.yml may stand in `maintenance.d/*.yml`; the same window in two",
    "files is an error.",
    "",
]


def _collect(part: type[Part], title: str, parts: dict[type[Part], str]) -> None:
    if part in parts:
        return
    parts[part] = title
    for key in keys_of(part):
        for path, suffix in (((key,), ""), ((key, 0), "[]"), ((key, "*"), ".NAME")):
            inner = part_at(part, path)
            if inner is not None:
                prefix = "" if part is MaintenanceFile else f"{title}."
                _collect(inner, f"{prefix}{key}{suffix}", parts)
                break


def _rows(part: type[Part], parts: Mapping[type[Part], str]) -> Iterator[str]:
    properties = part.model_json_schema(by_alias=True, schema_generator=_Untitled)["properties"]
    for key, info in keys_of(part).items():
        default = "**required**" if info.is_required() else _default_cell(info)
        yield f"| `{key}` | {_kind(part, key, properties[key], parts)} | {default} | {_cell(info.description or '')} |"


def _default_cell(info: FieldInfo) -> str:
    default = info.get_default(call_default_factory=True, validated_data={})
    return f"`{shown(default)}`" if _worth_showing(default, "") else ""


def _kind(part: type[Part], key: str, schema: Mapping[str, Any], parts: Mapping[type[Part], str]) -> str:
    for path, words in (((key,), ""), ((key, 0), "list of "), ((key, "*"), "by name: ")):
        inner = part_at(part, path)
        if inner is not None:
            title = parts[inner]
            return f"{words}[{title}](#{re.sub(r'[^a-z0-9_-]', '', title.lower().replace(' ', '-'))})"
    return _cell(_words(schema))


def _words(schema: Mapping[str, Any]) -> str:
    if KIND in schema:
        return str(schema[KIND])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_words(schema['items'])}"
    if schema.get("type") == "object":
        inner = schema.get("additionalProperties")
        return f"by name: {_words(inner)}" if isinstance(inner, dict) and inner else "mapping"
    return " or ".join(_words(each) for each in schema.get("anyOf", ()) if each.get("type") != "null")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
