"""The section of the settings about prompts and answers: whether they are kept, and what is taken out of them."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from ops_center.control.settings.section import Section

Flag = Annotated[bool, Field(strict=True)]


class BodySettings(Section):
    """`keep`: store what is asked and answered from now on. Keys and other secrets are always taken out; e-mail
    addresses, phone numbers and card numbers where these say so. Of each at most `kilobytes`, for `days`."""

    key: ClassVar[str] = "bodies"

    keep: Flag = False
    remove_emails: Flag = True
    remove_phones: Flag = True
    remove_cards: Flag = True
    kilobytes: Annotated[int, Field(strict=True, ge=1, le=1024)] = 64
    days: Annotated[int, Field(strict=True, ge=1, le=365)] = 7
