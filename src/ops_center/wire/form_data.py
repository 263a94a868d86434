"""Forms with files (multipart/form-data): finds small fields and puts another value into one of them.

Sans-IO, and no copy of a file is made to find a name beside it. Follows
https://www.rfc-editor.org/rfc/rfc7578 (2026-11), as OpenAI's clients write it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ops_center.errors import BadRequest

_BOUNDARY = re.compile(rb'boundary=(?:"([^"\r\n]{1,200})"|([^;\s"]{1,200}))', re.IGNORECASE)
_NAME = re.compile(rb'^content-disposition:[^\r\n]*?;\s*name="([^"\r\n]*)"', re.IGNORECASE | re.MULTILINE)
_MAX_PARTS = 200
_MAX_FIELD_BYTES = 64 * 1024


class _Part(NamedTuple):
    name: bytes
    start: int  # of its value
    end: int


class FormData:
    """A form as it came, with the places of its fields."""

    def __init__(self, body: bytes, content_type: bytes) -> None:
        """Raises BadRequest for a body that is no form."""
        self.body = body
        found = _BOUNDARY.search(content_type)
        if found is None:
            raise BadRequest("The content type of the form names no boundary.")
        self._boundary = b"--" + (found[1] or found[2])
        self._parts = list(self._read())

    def text(self, name: str) -> str | None:
        """The value of a field, the last of equal names; None when there is none. Raises BadRequest."""
        part = self._part(name)
        if part is None:
            return None
        if part.end - part.start > _MAX_FIELD_BYTES:
            raise BadRequest(f"The form's field “{name}” is too long.", param=name)
        try:
            return self.body[part.start : part.end].decode()
        except UnicodeDecodeError:
            raise BadRequest(f"The form's field “{name}” is not text.", param=name) from None

    def with_text(self, name: str, value: str) -> bytes:
        """The form with this value in this field, every other byte as it came. A new field comes first."""
        raw = value.encode()
        part = self._part(name)
        if part is not None:
            return self.body[: part.start] + raw + self.body[part.end :]
        head = b'\r\nContent-Disposition: form-data; name="%s"\r\n\r\n' % name.encode()
        start = self.body.index(self._boundary)
        return self.body[:start] + self._boundary + head + raw + b"\r\n" + self.body[start:]

    def _part(self, name: str) -> _Part | None:
        wanted = name.encode()
        return next((part for part in reversed(self._parts) if part.name == wanted), None)

    def _read(self) -> list[_Part]:
        body, boundary = self.body, self._boundary
        parts: list[_Part] = []
        at = 0 if body.startswith(boundary) else body.find(b"\r\n" + boundary) + 2
        if at < 2 and not body.startswith(boundary):
            raise BadRequest("The request body is not the form that its content type announces.")
        while not body.startswith(b"--", at + len(boundary)):
            head_end = body.find(b"\r\n\r\n", at)
            end = body.find(b"\r\n" + boundary, head_end + 2 if head_end >= 0 else at)
            if head_end < 0 or end < 0 or end < head_end:
                raise BadRequest("The form in the request body breaks off.")
            name = _NAME.search(body, at + len(boundary), head_end + 2)
            start = head_end + 4
            # an empty value: the boundary's line break is the one that ends the head
            parts.append(_Part(name[1] if name else b"", min(start, end + 2), max(end, min(start, end + 2))))
            if len(parts) > _MAX_PARTS:
                raise BadRequest(f"The form has more than {_MAX_PARTS} fields.")
            at = end + 2
        return parts
