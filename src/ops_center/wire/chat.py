"""The neutral form of a chat call: what every format is translated into and out of, step 4 and 5 of the way.

Frozen values only: no JSON, no I/O. A value that only one format knows rides along as raw JSON (`Native`,
`extra`) and is written again by that format alone; every other one drops it with a reason or refuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

from ops_center.types import Usage

OPENAI_CHAT = "openai_chat"
OPENAI_RESPONSES = "openai_responses"
OPENAI_COMPLETIONS = "openai_completions"
ANTHROPIC_MESSAGES = "anthropic_messages"
GEMINI = "gemini"
BEDROCK_CONVERSE = "bedrock_converse"
COHERE_CHAT = "cohere_chat"

# Finish reasons, in OpenAI's words (OpenTelemetry GenAI uses the same).
STOP = "stop"
LENGTH = "length"
TOOL_CALLS = "tool_calls"
CONTENT_FILTER = "content_filter"
ERROR = "error"
OTHER = "other"  # a word we do not know

NOTHING: Mapping[str, msgspec.Raw] = {}


class CacheMark(msgspec.Struct, frozen=True):
    """ "The prompt up to here is worth caching." `ttl` is the format's own word ("5m", "1h") or None."""

    ttl: str | None = None


class Text(msgspec.Struct, frozen=True):
    text: str
    cache: CacheMark | None = None
    extra: Mapping[str, msgspec.Raw] = NOTHING


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """Exactly one of `url`, `data` (base64, with `media_type`) and `file_id` is set."""

    url: str | None = None
    data: str | None = None
    media_type: str | None = None
    file_id: str | None = None
    detail: str | None = None
    cache: CacheMark | None = None
    extra: Mapping[str, msgspec.Raw] = NOTHING


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A document: exactly one of `url`, `data` (base64), `text` (plain) and `file_id` is set."""

    url: str | None = None
    data: str | None = None
    text: str | None = None
    file_id: str | None = None
    media_type: str | None = None
    name: str | None = None
    cache: CacheMark | None = None
    extra: Mapping[str, msgspec.Raw] = NOTHING


class Thinking(msgspec.Struct, frozen=True, kw_only=True):
    """Reasoning that the model showed. `signature` proves it to its maker; `redacted` is opaque instead.

    `origin` is the format of the maker that signed: nobody else may be sent the proof. None: nothing signed.
    """

    text: str = ""
    signature: str | None = None
    redacted: str | None = None
    origin: str | None = None
    extra: Mapping[str, msgspec.Raw] = NOTHING


class Refusal(msgspec.Struct, frozen=True):
    text: str


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """`arguments` is JSON text, exactly as the model wrote it; it need not be valid."""

    id: str
    name: str
    arguments: str
    cache: CacheMark | None = None
    extra: Mapping[str, msgspec.Raw] = NOTHING


class ToolResult(msgspec.Struct, frozen=True, kw_only=True):
    tool_call_id: str
    parts: tuple[Part, ...] = ()
    is_error: bool = False
    cache: CacheMark | None = None
    extra: Mapping[str, msgspec.Raw] = NOTHING


class Native(msgspec.Struct, frozen=True, kw_only=True):
    """A part that only `format` knows: its JSON, and the type word it carries."""

    format: str
    type: str
    raw: msgspec.Raw


Part: TypeAlias = Text | Image | File | Thinking | Refusal | ToolCall | ToolResult | Native


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """`role`: system, developer, user, assistant or tool. Tool results may also stand in a user message.

    `place` is where it stood in the caller's body ("messages[3]"), for naming it in errors.
    """

    role: str
    parts: tuple[Part, ...] = ()
    place: str = ""
    name: str | None = None
    extra: Mapping[str, msgspec.Raw] = NOTHING


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A function the model may call; or, with `native`, one that only `format` knows."""

    name: str
    description: str | None = None
    parameters: msgspec.Raw | None = None  # JSON schema
    strict: bool | None = None
    cache: CacheMark | None = None
    extra: Mapping[str, msgspec.Raw] = NOTHING
    native: Native | None = None


class ToolChoice(msgspec.Struct, frozen=True, kw_only=True):
    """`mode`: auto, none, required, or function (then `name`). `allowed` narrows auto and required."""

    mode: str
    name: str | None = None
    allowed: tuple[str, ...] | None = None


class ResponseFormat(msgspec.Struct, frozen=True, kw_only=True):
    """`type`: text, json_object or json_schema."""

    type: str
    name: str | None = None
    description: str | None = None
    schema: msgspec.Raw | None = None
    strict: bool | None = None


class Reasoning(msgspec.Struct, frozen=True, kw_only=True):
    """How much the model should think: an effort word, a budget in tokens, or a mode
    (enabled, disabled, adaptive, between_tools)."""

    effort: str | None = None
    budget_tokens: int | None = None
    mode: str | None = None
    display: str | None = None
    summary: str | None = None  # OpenAI's word for how much of it is shown: auto, concise, detailed


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `format` is the one it was read from; None means that the caller did not say."""

    format: str
    model: str = ""  # empty: the caller leaves the choice to us
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    reasoning: Reasoning | None = None
    user: str | None = None
    service_tier: str | None = None
    stream: bool = False
    include_usage: bool = False  # the caller itself asked for usage at the end of the stream
    extra: Mapping[str, msgspec.Raw] = NOTHING  # every other top-level parameter, as it was sent


class Dropped(msgspec.Struct, frozen=True):
    """A parameter that was left out or changed on the way into another format, and why."""

    parameter: str
    reason: str


def without_own(request: ChatRequest) -> tuple[ChatRequest, tuple[Dropped, ...]]:
    """The request as it may leave its own format, and what stays behind; the common case: what the format's
    messages, parts and tools carry beyond what every format can say.

    A format with parameters that mean something only there has a function of this name of its own.
    """
    places: list[str] = []
    for message in request.messages:
        places += _said(message.place, message.extra)
        for index, part in enumerate(message.parts):
            places += _said(f"{message.place}.content[{index}]", getattr(part, "extra", NOTHING))
    for index, tool in enumerate(request.tools):
        places += _said(f"tools[{index}]", tool.extra)
    return request, tuple(Dropped(place, "only the caller's own format has it") for place in places)


def one_turn_each(messages: Iterable[Message]) -> list[Message]:
    """Messages of the assistant that follow each other as one, for formats where all it said in a turn stands
    together: its tool calls, and the proof of the thinking before them."""
    turns: list[Message] = []
    for message in messages:
        if turns and message.role == "assistant" == turns[-1].role:
            turns[-1] = msgspec.structs.replace(turns[-1], parts=turns[-1].parts + message.parts)
        else:
            turns.append(message)
    return turns


# Read by those who can take them: signatures and pictures that Gemini's models made.
_READ_ELSEWHERE = frozenset(["extra_content", "images"])
_SAYS_NOTHING = (b"null", b"false", b"{}", b"[]", b'""')


def _said(place: str, extra: Mapping[str, msgspec.Raw]) -> list[str]:
    return [
        f"{place}.{name}"
        for name, raw in extra.items()
        if name not in _READ_ELSEWHERE and bytes(raw) not in _SAYS_NOTHING
    ]


class TokenLogprob(msgspec.Struct, frozen=True):
    """One token of an answer with its log probability, and what else might have stood there, best first."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """`native_finish_reason` is the provider's own word, `stop_sequence` the one that was met. `logprobs` is
    None where they were not asked for."""

    index: int = 0
    parts: tuple[Part, ...] = ()
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    stop_sequence: str | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None
    extra: Mapping[str, msgspec.Raw] = NOTHING


class ChatAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One whole answer. `usage` is None when the provider reported none."""

    format: str
    id: str
    model: str
    created: int | None = None  # Unix seconds; Anthropic does not say
    choices: tuple[Choice, ...]
    usage: Usage | None = None
    native_usage: msgspec.Raw | None = None
    extra: Mapping[str, msgspec.Raw] = NOTHING

    @property
    def finish_reason(self) -> str | None:
        """That of the first choice."""
        return self.choices[0].finish_reason if self.choices else None

    @property
    def text_bytes(self) -> int:
        """How much was said, in bytes of UTF-8: what a stream of the same answer would count."""
        parts = [part for choice in self.choices for part in choice.parts]
        texts = [part.text for part in parts if isinstance(part, Text | Thinking | Refusal)]
        texts += [part.arguments for part in parts if isinstance(part, ToolCall)]
        return sum(len(text.encode()) for text in texts)


class ProviderErrorFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider's error says, as far as it could be read. `message` is foreign text."""

    code: str | None = None
    type: str | None = None
    message: str | None = None
    retry_after_seconds: float | None = None  # where the body says it, beside or instead of a header


class AnswerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger needs from an answer that passes through untouched.

    `valid` is False when the body is not a chat answer of its format (HTML, half a JSON, another shape);
    `error` is True when it is JSON that carries an error.
    """

    usage: Usage | None = None
    finish_reason: str | None = None
    error: bool = False
    valid: bool = True


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """The provider has begun to answer."""

    id: str = ""
    model: str = ""
    created: int | None = None
    usage: Usage | None = None  # the input, where the provider reports it first; the output is not known yet


class TextDelta(msgspec.Struct, frozen=True):
    text: str
    choice: int = 0


class ImageDelta(msgspec.Struct, frozen=True, kw_only=True):
    """A picture the model drew, whole: base64."""

    data: str
    media_type: str
    choice: int = 0


class Logprobs(msgspec.Struct, frozen=True):
    """Those of the next tokens of one choice."""

    tokens: tuple[TokenLogprob, ...]
    choice: int = 0


class RefusalDelta(msgspec.Struct, frozen=True):
    text: str
    choice: int = 0


class ThinkingDelta(msgspec.Struct, frozen=True):
    text: str
    choice: int = 0


class ThinkingSignature(msgspec.Struct, frozen=True):
    """Ends the thinking that came before it. `origin` as in `Thinking`."""

    signature: str
    choice: int = 0
    origin: str | None = None


class RedactedThinking(msgspec.Struct, frozen=True):
    data: str
    choice: int = 0
    origin: str | None = None


class ToolCallStart(msgspec.Struct, frozen=True, kw_only=True):
    index: int  # counts the tool calls of one choice from 0
    id: str
    name: str
    choice: int = 0


class ToolCallDelta(msgspec.Struct, frozen=True, kw_only=True):
    index: int
    arguments: str
    choice: int = 0


class Finish(msgspec.Struct, frozen=True, kw_only=True):
    """`finish_reason` is one of the words above, `native_finish_reason` the provider's own."""

    finish_reason: str
    native_finish_reason: str | None = None
    stop_sequence: str | None = None
    choice: int = 0


class UsageEvent(msgspec.Struct, frozen=True):
    """Usage of the whole answer; a later one replaces it."""

    usage: Usage


class StreamError(msgspec.Struct, frozen=True, kw_only=True):
    """An error in the middle of the stream; nothing comes after it."""

    code: str | None = None
    type: str | None = None
    message: str | None = None


StreamEvent: TypeAlias = (
    Start
    | TextDelta
    | ImageDelta
    | Logprobs
    | RefusalDelta
    | ThinkingDelta
    | ThinkingSignature
    | RedactedThinking
    | ToolCallStart
    | ToolCallDelta
    | Finish
    | UsageEvent
    | StreamError
)
