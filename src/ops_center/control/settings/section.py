"""What a section of the settings is: a model whose every field has a default, and how its secrets are kept.

The sections themselves stand beside the noun that reads them and are listed in `schemas.py`. Nothing here
reads or writes a row (`repository.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from ops_center.control.fields import printable

if TYPE_CHECKING:
    from ops_center.control.context import Control

MASK: Final = "••••"

SecretText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000), AfterValidator(printable)
]
"""A secret among the settings: sent in clear, sealed in the database, and only ever returned as the mask."""


class Section(BaseModel):
    """One subject's settings, in a request, in an answer and in the database alike.

    Of a request only the fields that were sent count (`model_fields_set`). Names in `secret_fields` are
    `SecretText | None`: what is stored and returned is `MASK` or null, the secret itself is sealed.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    key: ClassVar[str]
    secret_fields: ClassVar[frozenset[str]] = frozenset()

    async def check(self, control: Control) -> None:
        """What needs more than the section itself, asked before it is saved. Raises Invalid."""
