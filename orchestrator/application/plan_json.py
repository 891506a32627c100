"""A plan as JSON text and back, without loss: what the store keeps and what the hash and the report read.

The codec follows the type hints of the domain's dataclasses, so that a new field needs no line here. Instants become
UTC ISO text, fractions ``"1/2"``, durations seconds, enumerations their value. A field that is missing in old text takes its
default; an unknown one is an error, because dropping it would change the plan.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from fractions import Fraction
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from orchestrator.domain.plan import Plan

_PLAIN = (str, int, float, bool, NoneType)


def plan_to_json(plan: Plan) -> str:
    """Return the plan as compact JSON with sorted keys: equal plans give equal text.

    Raises:
        TypeError: A variable of a work step holds something JSON cannot carry, for example an unquoted YAML date.
    """
    return json.dumps(_encode(plan, "plan"), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def plan_from_json(text: str) -> Plan:
    """Return the plan that :func:`plan_to_json` wrote.

    Raises:
        ValueError: The text is not such a plan; names the place.
    """
    try:
        return cast("Plan", _decode(json.loads(text), Plan, "plan"))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is not a stored plan: {error}") from error


def _encode(value: Any, where: str) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, _PLAIN):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _encode(getattr(value, field.name), f"{where}.{field.name}") for field in fields(value)}
    if isinstance(value, Mapping):
        return {_key(key, where): _encode(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(item, f"{where}[{index}]") for index, item in enumerate(value)]
    return _encode_scalar(value, where)


def _encode_scalar(value: Any, where: str) -> Any:
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        return int(seconds) if seconds.is_integer() else seconds
    if isinstance(value, datetime) and value.tzinfo is not None and ".vars." not in where:
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"{where}: {value!r} ({type(value).__name__}) cannot be kept as JSON; write it as text, in quotes")


def _key(key: Any, where: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{where}: the key {key!r} ({type(key).__name__}) cannot be kept as JSON; write it as text, in quotes")
    return key


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _decode(raw: Any, hint: Any, where: str) -> Any:
    if hint is Any:
        return raw
    origin = get_origin(hint)
    if origin in {Union, UnionType}:
        return None if raw is None else _decode(raw, next(arm for arm in get_args(hint) if arm is not NoneType), where)
    if origin is not None:
        return _decode_many(raw, origin, get_args(hint), where)
    if is_dataclass(hint):
        return _decode_dataclass(raw, cast("type", hint), where)
    return _decode_scalar(raw, hint, where)


def _decode_many(raw: Any, origin: Any, arguments: tuple[Any, ...], where: str) -> Any:
    if origin is tuple:
        return tuple(_decode(item, arguments[0], f"{where}[{index}]") for index, item in enumerate(raw))
    return {key: _decode(item, arguments[1], f"{where}.{key}") for key, item in raw.items()}


def _decode_dataclass(raw: Any, cls: type, where: str) -> Any:
    known = {field.name: field for field in fields(cls)}
    unknown = sorted(set(raw) - set(known))
    if unknown:
        raise ValueError(f"{where}: unknown field {', '.join(unknown)}: it was written by a newer deskside")
    missing = [
        name for name, field in known.items() if name not in raw and field.default is MISSING and field.default_factory is MISSING
    ]
    if missing:
        raise ValueError(f"{where}: {', '.join(missing)} is missing")
    hints = _hints(cls)
    return cls(**{name: _decode(item, hints[name], f"{where}.{name}") for name, item in raw.items()})


def _decode_scalar(raw: Any, hint: Any, where: str) -> Any:
    if hint is Fraction:
        return Fraction(raw)
    if hint is timedelta:
        return timedelta(seconds=raw)
    if hint in {datetime, date, time}:
        return hint.fromisoformat(raw)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(raw)
    if hint is float and isinstance(raw, int) and not isinstance(raw, bool):
        return float(raw)
    if isinstance(hint, type) and not isinstance(raw, hint):
        raise TypeError(f"{where}: {raw!r} is not {hint.__name__}")
    return raw
