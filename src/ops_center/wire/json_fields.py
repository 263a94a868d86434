"""Reads JSON objects field by field, so that every failure names its field and nothing unknown is lost.

Used for requests, where the caller is to blame (BadRequest); knows no format. Values stay raw JSON until
somebody asks for them by type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from ops_center.errors import BadRequest

T = TypeVar("T")

TEXT = msgspec.json.Decoder(str | None)
INTEGER = msgspec.json.Decoder(int | None)
NUMBER = msgspec.json.Decoder(float | None)
BOOLEAN = msgspec.json.Decoder(bool | None)
TEXTS = msgspec.json.Decoder(list[str] | None)
TEXT_OR_TEXTS = msgspec.json.Decoder(str | list[str] | None)
TEXT_OR_LIST = msgspec.json.Decoder(str | list[msgspec.Raw] | None)
LIST = msgspec.json.Decoder(list[msgspec.Raw] | None)
OBJECT: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])

_NULL = b"null"
_WORDS = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}
_TYPE = re.compile(r"`([^`]*)`")


class Fields:
    """One JSON object. `take` removes a field; `rest` is what nobody took. `path` is its place in the body."""

    __slots__ = ("_fields", "path", "raw")

    def __init__(self, raw: bytes | msgspec.Raw, path: str = "") -> None:
        self.path = path
        self.raw = raw if isinstance(raw, msgspec.Raw) else msgspec.Raw(raw)
        self._fields = decode(OBJECT, raw, path)

    @property
    def text(self) -> str:
        """The whole object as it was written."""
        return bytes(self.raw).decode()

    def __contains__(self, name: str) -> bool:
        """Whether the field is there with a value other than null."""
        return name in self._fields and bytes(self._fields[name]) != _NULL

    def place(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def take(self, name: str, decoder: msgspec.json.Decoder[T]) -> T | None:
        """The field's value, None when it is absent. Raises BadRequest when it is of another type."""
        raw = self._fields.pop(name, None)
        return None if raw is None else decode(decoder, raw, self.place(name))

    def require(self, name: str, decoder: msgspec.json.Decoder[T | None]) -> T:
        value = self.take(name, decoder)
        if value is None:
            raise BadRequest(f"`{self.place(name)}` is required.", param=self.place(name))
        return value

    def take_fields(self, name: str) -> Fields | None:
        """An object field, to be read in turn."""
        raw = self._fields.pop(name, None)
        return None if raw is None or bytes(raw) == _NULL else Fields(raw, self.place(name))

    def take_raw(self, name: str) -> msgspec.Raw | None:
        """The field as it was written; None when it is absent or null."""
        raw = self._fields.pop(name, None)
        return None if raw is None or bytes(raw) == _NULL else raw

    def put_back(self, name: str, raw: msgspec.Raw) -> None:
        """Gives a field back that was taken but is of no known kind."""
        self._fields[name] = raw

    @property
    def rest(self) -> Mapping[str, msgspec.Raw]:
        return self._fields


def read_body(body: bytes) -> Fields:
    """The request body as an object. Raises BadRequest for everything that is not one, or not UTF-8."""
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError:
            raise BadRequest("The request body is not UTF-8.") from None
    return Fields(body)


def decode(decoder: msgspec.json.Decoder[T], raw: bytes | msgspec.Raw, path: str) -> T:
    """`raw` as the decoder's type; BadRequest with `path` as its `param` when it is something else."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        place, reason = _explain(error, path)
        raise BadRequest(
            f"`{place}`: {reason}." if place else f"The request body: {reason}.", param=place or None
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = (
            f"`{path}` holds text that is not valid JSON." if path else "The request body is not valid JSON."
        )
        raise BadRequest(text, param=path or None) from None
    except RecursionError:
        text = f"`{path}` is nested too deeply." if path else "The request body is nested too deeply."
        raise BadRequest(text, param=path or None) from None


def _explain(error: msgspec.ValidationError, path: str) -> tuple[str, str]:
    """Place and reason in plain words, out of "Expected `str`, got `int` - at `$[0].x`"."""
    text, _, at = str(error).partition(" - at ")
    inner = at.strip("`").removeprefix("$").removeprefix("" if path else ".")
    reason = _TYPE.sub(lambda m: " or ".join(_WORDS.get(w, w) for w in m[1].split(" | ")), text)
    return path + inner, reason[:1].lower() + reason[1:]
