"""Everything that can go wrong, as one tree; raised anywhere, rendered in one place per plane.

    OpsCenterError
    ├── CallerError              the caller's fault
    │   ├── BadRequest           400  not JSON, a wrong type, a missing field
    │   ├── Unauthenticated      401  no key, an unknown, disabled or expired one
    │   ├── Forbidden            403  a known caller who may not
    │   │   └── SecondFactorMissing  403  nor anything else before it is set up
    │   ├── NotFound             404
    │   │   └── ModelNotFound    404  with near matches
    │   ├── Conflict             409  it exists already, or is in use
    │   ├── TooLarge             413
    │   └── Invalid              422  a field of the control API has an impossible value
    ├── LimitError               a limit that somebody set
    │   ├── RateLimited          429  with retry-after
    │   ├── BudgetExceeded       402
    │   └── LimitsUnavailable    503  they cannot be checked, and are to be refused then
    ├── ProviderError            the provider's fault, or the way to it
    │   ├── ProviderUnreachable  503  no connection
    │   ├── AddressRefused       503  its address is one we never connect to
    │   ├── ProviderTimeout      504
    │   ├── ProviderRateLimited  429  the provider's own 429
    │   ├── ProviderAuthError    503  our credential was refused (401, 402, 403)
    │   ├── ProviderFailed       503  a 5xx of the provider
    │   ├── ProviderUnusable     502  HTML, half a JSON, an error inside a 200, a stream cut short
    │   ├── ProviderRejected     4xx  the provider refused this very request: the caller's own fault
    │   └── NoProviderLeft       503  nobody is left to ask
    └── InternalError            500  ours

Each carries two texts: `message` for the caller (no secrets, no foreign bytes) and `detail` for the
operator's log. They are classified by status and structured code, never by message text.
"""

from __future__ import annotations

from typing import Any


class OpsCenterError(Exception):
    """Base of the tree. `type` is the stable word that records and metrics use."""

    status = 500
    type = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        detail: str | None = None,
        hint: str | None = None,
        param: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.hint = hint
        self.param = param
        self.retry_after_seconds = retry_after_seconds


class CallerError(OpsCenterError):
    status = 400
    type = "invalid_request_error"


class BadRequest(CallerError):
    pass


class Unauthenticated(CallerError):
    status = 401
    type = "authentication_error"


class Forbidden(CallerError):
    status = 403
    type = "permission_error"


class SecondFactorMissing(Forbidden):
    type = "second_factor_missing"


class NotFound(CallerError):
    status = 404
    type = "not_found_error"


class ModelNotFound(NotFound):
    type = "model_not_found"


class Conflict(CallerError):
    status = 409
    type = "conflict_error"


class TooLarge(CallerError):
    status = 413
    type = "request_too_large"


class Invalid(CallerError):
    status = 422
    type = "validation_error"


class LimitError(OpsCenterError):
    status = 429
    type = "rate_limit_error"


class RateLimited(LimitError):
    """`pace` is where the caller stands in its limits, for the headers of the answer."""

    pace: Any = None  # limits.demand.Pace, which stands on a higher floor
    counter = ""  # of the limit that refused
    exact = False  # nothing makes a place come free before `retry_after_seconds`
    turn: str | None = None  # id of the API key whose turn it is, where others wait for the same limit
    hopeless = False  # the request alone is more than the limit

    @property
    def retry_after(self) -> float:
        return self.retry_after_seconds or 0.0


class LimitsUnavailable(LimitError):
    status = 503
    type = "limits_unavailable"


class BudgetExceeded(LimitError):
    status = 402
    type = "budget_exceeded"


class ProviderError(OpsCenterError):
    """`provider_status` is the HTTP status that came back, if one did."""

    status = 503
    type = "provider_error"

    def __init__(self, message: str, *, provider_status: int | None = None, **rest: object) -> None:
        super().__init__(message, **rest)  # type: ignore[arg-type]
        self.provider_status = provider_status


class ProviderUnreachable(ProviderError):
    type = "provider_unreachable"


class AddressRefused(ProviderError):
    type = "address_not_allowed"


class ProviderTimeout(ProviderError):
    status = 504
    type = "provider_timeout"


class ProviderRateLimited(ProviderError):
    status = 429
    type = "provider_rate_limited"


class ProviderAuthError(ProviderError):
    type = "provider_auth_error"


class ProviderFailed(ProviderError):
    type = "provider_failed"


class ProviderUnusable(ProviderError):
    status = 502
    type = "provider_unusable_answer"


class ProviderRejected(ProviderError):
    """The provider's own 4xx about this request; status and message go to the caller as they came."""

    status = 400
    type = "invalid_request_error"

    def __init__(self, message: str, *, body: bytes = b"", code: str | None = None, **rest: object) -> None:
        super().__init__(message, **rest)  # type: ignore[arg-type]
        self.body = body
        self.code = code
        if self.provider_status:
            self.status = self.provider_status


class NoProviderLeft(ProviderError):
    type = "no_provider_left"


class InternalError(OpsCenterError):
    pass
