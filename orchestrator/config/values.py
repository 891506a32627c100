"""The kinds of values in an office's files: parser, JSON Schema and the word the reference page uses, side by side."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time, timedelta
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import GetJsonSchemaHandler, PlainValidator, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from orchestrator.config import scalars
from orchestrator.config.channels import Mailbox, parse_secret, parse_smtp
from orchestrator.config.settings import Secret
from orchestrator.domain.person import WorkingHours

OURS = "deskside"  # pydantic's error type for messages that are complete sentences of ours


def plain(parse: Callable[[Any], Any]) -> PlainValidator:
    """Let one of our parsers decide, and keep its sentence."""

    def validate(value: Any) -> Any:
        try:
            return parse(value)
        except ValueError as error:
            raise PydanticCustomError(OURS, "{text}", {"text": str(error)}) from None

    return PlainValidator(validate)


def one_or_many(value: Any) -> Any:
    """A single mapping stands for a list of one."""
    return [value] if isinstance(value, dict) else value


class OneOrMany:
    """Tells the JSON Schema what ``one_or_many`` does."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        found = handler(core)
        return {"anyOf": [found["items"], found]}


def _shape(kind: str, **schema: Any) -> WithJsonSchema:
    """The JSON Schema of a value; ``kind`` is the word the reference page uses for it."""
    return WithJsonSchema({"type": "string", **schema, KIND: kind})


KIND = "x-kind"
_DURATION = r"^(?=.)(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?$"
_SHARE = r"^\d{1,3}(\.\d{1,3})?\s?%$"
_NAME = r"^[a-z0-9][a-z0-9_-]*$"
_REFERENCE = [
    {"type": "object", "properties": {key: {"type": "string"}}, "required": [key], "additionalProperties": False}
    for key in ("env", "file")
]

Text = Annotated[str, plain(scalars.parse_text), _shape("text", minLength=1)]
Bool = Annotated[bool, plain(scalars.parse_bool), _shape("true or false", type="boolean")]
Count = Annotated[int, plain(scalars.parse_count), _shape("whole number from 0", type="integer", minimum=0)]
Positive = Annotated[int, plain(scalars.parse_positive), _shape("whole number from 1", type="integer", minimum=1)]
Duration = Annotated[timedelta, plain(scalars.parse_duration), _shape("duration", pattern=_DURATION)]
Clock = Annotated[time, plain(scalars.parse_time), _shape("time of day", pattern=r"^([01]?\d|2[0-3]):[0-5]\d$")]
Day = Annotated[date, plain(scalars.parse_date), _shape("date", pattern=r"^\d{4}-\d{2}-\d{2}$")]
Share = Annotated[Fraction, plain(scalars.parse_share), _shape("share", pattern=_SHARE)]
RingShare = Annotated[Fraction, plain(scalars.parse_ring_share), _shape("share", pattern=_SHARE)]
StayUp = Annotated[
    int | Fraction,
    plain(scalars.parse_stay_up),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": _SHARE}], KIND: "number or share"}),
]
Zone = Annotated[str, plain(scalars.parse_zone), _shape("IANA zone")]
WindowZone = Annotated[str, plain(scalars.parse_window_zone), _shape("IANA zone or `site`")]
Address = Annotated[str, plain(scalars.parse_address), _shape("mail address", pattern=r"^[^@\s]+@[^@\s]+$")]
Sender = Annotated[tuple[str, str], plain(scalars.parse_sender), _shape("sender")]
Pattern = Annotated[str, plain(scalars.parse_pattern), _shape("Ansible pattern", minLength=1)]
Hours = Annotated[WorkingHours, plain(scalars.parse_hours), _shape("working hours")]
SecretValue = Annotated[
    Secret, plain(parse_secret), WithJsonSchema({"anyOf": [{"type": "string"}, *_REFERENCE], KIND: "reference to a secret"})
]
SmtpUrl = Annotated[Mailbox, plain(parse_smtp), _shape("URL", pattern=r"^(smtps|smtp\+starttls|smtp)://")]
Name = Annotated[str, plain(scalars.parse_name), _shape("name", pattern=_NAME)]
WindowName = Annotated[str, plain(scalars.parse_window_name), _shape("name", pattern=_NAME)]
Reminder = Annotated[
    timedelta | Literal["before_leaving"],
    plain(lambda value: value if value == "before_leaving" else scalars.parse_reminder(value)),
    WithJsonSchema(
        {"anyOf": [{"const": "before_leaving"}, {"type": "string", "pattern": _DURATION}], KIND: "duration or `before_leaving`"}
    ),
]
Invite = Annotated[
    timedelta | Literal["never"],
    plain(lambda value: value if value == "never" else scalars.parse_duration(value)),
    WithJsonSchema({"anyOf": [{"const": "never"}, {"type": "string", "pattern": _DURATION}], KIND: "duration or `never`"}),
]
