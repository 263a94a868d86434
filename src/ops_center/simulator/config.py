"""How a simulator behaves: one value, read from code, from JSON or from a magic model name.

A fault is one word of the list in `Fault`, some with a figure behind it (`status-503`, `slow-2.5`). The
same word works as `config.fault`, in `config.fault_for_models`, and as the model name `sim-<fault>`.
This module decides nothing about formats; `faults.py` bends an answer, `server.py` plays it.
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

FaultKind = Literal[
    "ok",  # no fault: the model name `sim-ok` is a plain model
    "status",  # status-N: the family's error shape with that status
    "html-200",
    "half-json",
    "empty-200",
    "error-in-200",
    "first-event-error",
    "error-mid-stream",
    "stream-cut",  # connection closed in the middle, chunked terminator missing
    "stream-ends-early",  # the same with a proper chunked terminator, but no closing event
    "stream-never-starts",  # headers, then silence
    "stream-stalls",  # half of the events, then silence
    "hang",  # silence before the headers
    "slow",  # slow-S: S seconds before the headers
    "close",  # connection closed without an answer
    "reset",  # the same with a TCP reset
    "reset-mid-stream",
    "redirect",
    "context-length",  # 400: the prompt is longer than the model's window
    "moderated",  # 403 in OpenRouter's shape: the prompt was flagged, the key is good
]

MAGIC_PREFIX = "sim-"
FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)


class Fault(msgspec.Struct, frozen=True):
    kind: FaultKind
    figure: float = 0.0  # status code, or seconds


def parse_fault(word: str) -> Fault:
    """`status-503`, `slow-2.5`, `hang`. Raises ValueError for a word that is none."""
    if word in FAULT_KINDS and word not in ("status", "slow"):
        return Fault(word)
    kind, _, figure = word.rpartition("-")
    if kind in ("status", "slow"):
        try:
            return Fault(kind, float(figure))  # type: ignore[arg-type]
        except ValueError:
            pass
    raise ValueError(f"unknown fault: {word}")


def fault_of_model(model: str) -> Fault | None:
    """The fault that a magic model name asks for; None for every other name."""
    if not model.startswith(MAGIC_PREFIX):
        return None
    try:
        return parse_fault(model.removeprefix(MAGIC_PREFIX))
    except ValueError:
        return None


class SimulatorConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every knob. Durations in seconds. Frozen: replace it whole (`simulator.configure(...)`)."""

    seed: int = 0
    answer_tokens: int = 32  # length of an answer nobody limited
    list_magic_models: bool = False  # GET /models also shows `sim-...` names

    # who may come in
    valid_keys: tuple[str, ...] | None = None  # None: every key without a refused word
    refused_key_words: tuple[str, ...] = ("wrong", "invalid")

    # how fast
    latency_seconds: float = 0.0  # before the headers
    first_chunk_seconds: float = 0.0  # from the headers to the first token
    tokens_per_second: float | None = None  # None: all at once
    chunk_tokens: int = 4  # tokens in one event of a stream
    jitter: float = 0.0  # each wait is multiplied by 1 ± jitter, seeded

    # limits, per key
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None

    # what goes wrong
    error_rate: float = 0.0  # share of inference calls that fail, seeded
    error_status: int = 500
    fault: str | None = None
    fault_on: Literal["all", "inference", "catalogue"] = "all"
    fault_times: int | None = None  # the fault ends after so many calls; None: it stays
    fault_for_models: dict[str, str] = {}
    redirect_to: str = "/redirected"  # a path of the simulator: whoever follows it stands in the log
    idle_close_seconds: float | None = None  # closes kept connections after this silence
    close_after_answer: bool = False  # closes after each answer without having announced it

    # what the list says: OpenRouter's models that are served no more after a day, by id
    retiring: dict[str, str] = {}

    # figures in the usage
    cached_tokens: int = 0  # OpenAI: so many of the prompt's tokens came from its cache

    keep_requests: int = 1000  # how many requests the log remembers

    def __post_init__(self) -> None:
        if self.fault is not None:
            parse_fault(self.fault)
        for word in self.fault_for_models.values():
            parse_fault(word)
        if self.chunk_tokens < 1:
            raise ValueError("chunk_tokens must be at least 1")

    def merged(self, changes: dict[str, object]) -> SimulatorConfig:
        """This configuration with some fields replaced. Raises msgspec.ValidationError."""
        return msgspec.convert(msgspec.to_builtins(self) | changes, SimulatorConfig)


__all__ = [
    "FAULT_KINDS",
    "MAGIC_PREFIX",
    "Fault",
    "FaultKind",
    "SimulatorConfig",
    "fault_of_model",
    "parse_fault",
]
