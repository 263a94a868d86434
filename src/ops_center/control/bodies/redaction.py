"""Takes out of a text what must not be kept. A pure function over JSON values; it knows no database.

Secrets go by what they look like and by the names of fields; those of providers that are configured go wherever
they stand. It cannot know a password that looks like a word.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ops_center.telemetry.logging import mask

_DOTS = "••••"
_SECRETS = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"),  # a JSON web token
    re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    re.compile(r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|whsec_|ya29\.)[\w/+=.-]{8,}"),
)
_SECRET_FIELD = re.compile(
    r"(?i)(?:.*[_-])?(?:api[_-]?key|access[_-]?key|secret|passw(?:or)?d|credentials?|authorization|cookie|"
    r"(?:access|refresh|id|auth|session|bearer)[_-]?token|private[_-]?key|token)"
)
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
# with a country's code, or in groups of three, three and four: other numbers are too often no phone
_PHONE = re.compile(
    r"(?<![\w.+-])(?:\+\d{1,3}(?:[ .-]?\(?\d{1,4}\)?){2,5}\d|\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4})(?![\w-])"
)
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])")
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,[A-Za-z0-9+/=_-]+")
_BLOB = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{2000,}={0,2}")


_FILE_TAKEN_OUT = re.compile(r"\[(?:[\w.+-]+/[\w.+-]+, \d+ characters|\d+ characters of data)\]")


def lacks_files(text: str) -> bool:
    """Whether files were taken out of a text that was cleaned here."""
    return _FILE_TAKEN_OUT.search(text) is not None


class Redaction:
    """One body's. `removed` counts what was taken out, by kind."""

    def __init__(
        self,
        *,
        emails: bool = True,
        phones: bool = True,
        cards: bool = True,
        secrets: Collection[str] = (),
    ) -> None:
        self._emails, self._phones, self._cards = emails, phones, cards
        self._known = [secret for secret in secrets if len(secret) >= 8]
        self.removed: Counter[str] = Counter()

    def clean(self, value: Any) -> Any:
        """The same value without what must go; names of fields are cleaned, too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(name)): self._field(str(name), inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.clean(inner) for inner in value]
        return value

    def text(self, text: str) -> str:
        for secret in self._known:
            if secret in text:
                self.removed["secret"] += text.count(secret)
                text = text.replace(secret, _DOTS)
        for pattern in _SECRETS:
            text = self._replace(pattern, text, "secret", _DOTS)
        masked = mask(text)
        if masked != text:
            self.removed["secret"] += 1
            text = masked
        text = self._replace(
            _DATA_URL, text, "file", lambda found: f"[{found[1]}, {len(found[0])} characters]"
        )
        text = self._replace(_BLOB, text, "file", lambda found: f"[{len(found[0])} characters of data]")
        if self._emails:
            text = self._replace(_EMAIL, text, "email", "[email]")
        if self._cards:
            text = _CARD.sub(self._card, text)
        if self._phones:
            text = self._replace(_PHONE, text, "phone", "[phone]")
        return text

    def _field(self, name: str, value: Any) -> Any:
        if isinstance(value, str) and value and _SECRET_FIELD.fullmatch(name):
            self.removed["secret"] += 1
            return _DOTS
        return self.clean(value)

    def _replace(
        self, pattern: re.Pattern[str], text: str, kind: str, by: str | Callable[[re.Match[str]], str]
    ) -> str:
        text, times = pattern.subn(by, text)
        if times:
            self.removed[kind] += times
        return text

    def _card(self, found: re.Match[str]) -> str:
        digits = [int(each) for each in found[0] if each.isdigit()]
        doubled = [sum(divmod(2 * each, 10)) for each in digits[-2::-2]]
        if (sum(digits[-1::-2]) + sum(doubled)) % 10:
            return found[0]
        self.removed["card"] += 1
        return "[card]"
