"""Logging for the operator: one line per event on stderr, readable at a terminal, JSON elsewhere.

Our events (structlog) and those of libraries (standard library) take the same way out, the last step of
which masks whatever looks like a secret. That is the last line of defence: nobody may rely on it.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, TextIO

# structlog loads rich, where that is installed, for a kind of traceback that is not ours: 4 MB of each process.
_hidden = "rich" not in sys.modules
if _hidden:
    sys.modules["rich"] = None  # type: ignore[assignment]

import structlog  # noqa: E402
from structlog.typing import EventDict, Processor, WrappedLogger  # noqa: E402

if _hidden:
    del sys.modules["rich"]

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

_SECRETS = (
    # keys of providers and our own: sk-, sk-ant-, sk-or-v1-, sk-oc-, gsk_, hf_, xai-, AIza...
    (re.compile(r"\b(sk-|gsk_|hf_|xai-|pplx-|AIza)[A-Za-z0-9_\-]{8,}"), r"\1••••"),
    (re.compile(r"\b(Bearer|Basic)\s+[^\s\"',;]+", re.IGNORECASE), r"\1 ••••"),
    (
        re.compile(
            r"(?i)\b((?:x-)?api[-_]key|authorization|password|ops_center_session)([\"']?\s*[:=]\s*[\"']?)"
            r"(?!Bearer\b|Basic\b)[^\s\"',;&]+"
        ),
        r"\1\2••••",
    ),
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), r"\1••••@"),
)


_SECRET_NAMES = frozenset(
    {
        "api_key",
        "api-key",
        "x-api-key",
        "authorization",
        "cookie",
        "set-cookie",
        "password",
        "secret",
        "token",
    }
)


def mask(text: str) -> str:
    """`text` with everything that looks like a secret replaced by dots."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def masked(value: Any) -> Any:
    """The same of every text in it; fields with a telling name lose all of theirs."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {key: _field(key, inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(inner) for inner in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return mask(str(value))


def _field(name: Any, value: Any) -> Any:
    if value and str(name).lower() in _SECRET_NAMES:
        return "••••"
    return masked(value)


def _mask_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: value if key.startswith("_") else _field(key, value) for key, value in event.items()}


def configure_logging(level: str, *, stream: TextIO | None = None) -> None:
    """Send every event of at least `level` (debug, info, warning or error) to `stream`, by default stderr.

    May be called again; the last call holds.
    """
    out = sys.stderr if stream is None else stream
    threshold = _LEVELS[level]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        cache_logger_on_first_use=False,
    )
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if out.isatty()
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _mask_secrets, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    # Libraries speak up at their own level only when something is wrong.
    for noisy in ("asyncio", "sqlalchemy", "alembic", "aiosqlite"):
        logging.getLogger(noisy).setLevel(max(threshold, logging.WARNING))
