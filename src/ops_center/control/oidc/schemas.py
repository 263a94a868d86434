"""Single sign-on as JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from ops_center.control.fields import RequestModel, ResponseModel


class SingleSignOn(ResponseModel):
    enabled: bool
    label: str
    """What the button says."""


class SignInBegun(ResponseModel):
    authorization_url: str
    """Where the browser goes now; it comes back to `/sso` with `code` and `state`."""


class SignInFinish(RequestModel):
    code: Annotated[str, StringConstraints(min_length=1, max_length=4000)]
    state: Annotated[str, StringConstraints(min_length=1, max_length=200)]
