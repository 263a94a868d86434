"""Whole answers of Gemini read into the neutral form. They come translated only: no caller speaks Gemini.

Reference: https://ai.google.dev/api/generate-content#GenerateContentResponse (2026-11).
"""

from __future__ import annotations

import secrets

import msgspec
from msgspec import Raw

from ops_center.wire import chat
from ops_center.wire.gemini.usage import OwnTools
from ops_center.wire.provider_errors import carries_error
from ops_center.wire.reading import read_answer, unusable

_REASONS = {
    "STOP": chat.STOP,
    "MAX_TOKENS": chat.LENGTH,
    "SAFETY": chat.CONTENT_FILTER,
    "RECITATION": chat.CONTENT_FILTER,
    "LANGUAGE": chat.CONTENT_FILTER,
    "BLOCKLIST": chat.CONTENT_FILTER,
    "PROHIBITED_CONTENT": chat.CONTENT_FILTER,
    "SPII": chat.CONTENT_FILTER,
    "MODEL_ARMOR": chat.CONTENT_FILTER,
    "IMAGE_SAFETY": chat.CONTENT_FILTER,
    "IMAGE_PROHIBITED_CONTENT": chat.CONTENT_FILTER,
    "IMAGE_RECITATION": chat.CONTENT_FILTER,
    "MALFORMED_FUNCTION_CALL": chat.ERROR,
    "UNEXPECTED_TOOL_CALL": chat.ERROR,
    "TOO_MANY_TOOL_CALLS": chat.ERROR,
    "MISSING_THOUGHT_SIGNATURE": chat.ERROR,
    "MALFORMED_RESPONSE": chat.ERROR,
}
_UNSPECIFIED = "FINISH_REASON_UNSPECIFIED"


class _Blob(msgspec.Struct, rename="camel"):
    mime_type: str = ""
    data: str = ""


class _Token(msgspec.Struct, rename="camel"):
    token: str = ""
    log_probability: float | None = None


class _Tokens(msgspec.Struct):
    candidates: list[_Token] | None = None


class _Logprobs(msgspec.Struct, rename="camel"):
    chosen_candidates: list[_Token] | None = None
    top_candidates: list[_Tokens] | None = None


class FunctionCall(msgspec.Struct):
    name: str = ""
    args: Raw = Raw(b"{}")
    id: str | None = None


class Part(msgspec.Struct, rename="camel"):
    text: str | None = None
    thought: bool = False
    thought_signature: str | None = None
    function_call: FunctionCall | None = None
    inline_data: _Blob | None = None
    executable_code: Raw = Raw(b"null")

    @property
    def picture(self) -> tuple[str, str] | None:
        """Media type and base64 of a picture that belongs to the answer."""
        blob = self.inline_data
        return (blob.mime_type or "image/png", blob.data) if blob and blob.data and not self.thought else None


class _Content(msgspec.Struct):
    parts: list[Part] | None = None


class Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None
    index: int = 0
    logprobs_result: _Logprobs | None = None
    grounding_metadata: Raw = Raw(b"null")
    url_context_metadata: Raw = Raw(b"null")

    def show(self, tools: OwnTools) -> bool:
        """Show `tools` what Google's own tools did for it; whether there was anything."""
        ran_code = any(bytes(part.executable_code) != b"null" for part in self.parts)
        return tools.see(self.grounding_metadata, self.url_context_metadata, ran_code=ran_code)

    @property
    def parts(self) -> list[Part]:
        return (self.content.parts if self.content else None) or []

    @property
    def logprobs(self) -> tuple[chat.TokenLogprob, ...] | None:
        """None where they were not asked for."""
        found = self.logprobs_result
        if found is None or found.chosen_candidates is None:
            return None
        others = iter(found.top_candidates or ())
        return tuple(
            chat.TokenLogprob(
                chosen.token,
                chosen.log_probability or 0.0,  # zeros are left out
                tuple((t.token, t.log_probability or 0.0) for t in next(others, _Tokens()).candidates or ()),
            )
            for chosen in found.chosen_candidates
        )


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class Answer(msgspec.Struct, rename="camel"):
    candidates: list[Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: Raw = Raw(b"null")
    model_version: str | None = None
    response_id: str | None = None

    @property
    def block_reason(self) -> str | None:
        """Why the prompt itself was refused; there is no candidate then."""
        return self.prompt_feedback.block_reason if self.prompt_feedback else None


ANSWER = msgspec.json.Decoder(Answer)
_ANYTHING = msgspec.json.Decoder()


def neutral_reason(word: str | None, *, called: bool) -> str | None:
    """Gemini's word as one of ours; it says STOP after a function call too."""
    if not word or word == _UNSPECIFIED:
        return None
    reason = _REASONS.get(word, chat.OTHER)
    return chat.TOOL_CALLS if called and reason == chat.STOP else reason


def call_id(call: FunctionCall) -> str:
    """The call's id; older models give none, and every other format needs one."""
    return call.id or f"call_{secrets.token_hex(12)}"


def arguments_of(call: FunctionCall) -> str:
    """The arguments as JSON text."""
    arguments = bytes(call.args).decode()
    return "{}" if arguments == "null" else arguments


def decode_answer(body: bytes) -> chat.ChatAnswer:
    """Raises ProviderUnusable for HTML, half a JSON, an error inside a 200, no candidate, and an answer
    that Gemini itself calls malformed and that holds nothing."""
    answer = read_answer(ANSWER, body)
    if not answer.candidates and answer.block_reason is None:
        if carries_error(_ANYTHING.decode(body)):
            raise unusable("an error inside a 200")
        raise unusable("the body is not an answer: it has no candidates")
    choices = tuple(_choice(candidate) for candidate in answer.candidates or ())
    if not choices:
        choices = (chat.Choice(finish_reason=chat.CONTENT_FILTER, native_finish_reason=answer.block_reason),)
    tools = OwnTools()
    for candidate in answer.candidates or ():
        candidate.show(tools)
    return chat.ChatAnswer(
        format=chat.GEMINI,
        id=answer.response_id or "",
        model=answer.model_version or "",
        choices=choices,
        usage=tools.usage(answer.usage_metadata),
    )


def _choice(candidate: Candidate) -> chat.Choice:
    parts: list[chat.Part] = []
    for part in candidate.parts:
        signature = part.thought_signature or None
        if part.thought:
            _add_thinking(parts, part.text or "", signature)
            continue
        if signature:
            _add_thinking(parts, "", signature)
        if part.function_call:
            call = part.function_call
            parts.append(chat.ToolCall(id=call_id(call), name=call.name, arguments=arguments_of(call)))
        elif part.picture:
            media_type, data = part.picture
            parts.append(chat.Image(data=data, media_type=media_type))
        elif part.text:
            last = parts[-1] if parts else None
            if isinstance(last, chat.Text):
                parts[-1] = chat.Text(last.text + part.text)
            else:
                parts.append(chat.Text(part.text))
    called = any(isinstance(part, chat.ToolCall) for part in parts)
    reason = neutral_reason(candidate.finish_reason, called=called)
    if reason == chat.ERROR and not parts:
        raise unusable(f"the model's own answer was unusable: {candidate.finish_reason}")
    return chat.Choice(
        index=candidate.index,
        parts=tuple(parts),
        finish_reason=reason,
        native_finish_reason=candidate.finish_reason,
        logprobs=candidate.logprobs,
    )


def _add_thinking(parts: list[chat.Part], text: str, signature: str | None) -> None:
    """A signature ends the thinking before it."""
    last = parts[-1] if parts else None
    if isinstance(last, chat.Thinking) and last.signature is None:
        text = last.text + text
        parts.pop()
    if text or signature:
        parts.append(chat.Thinking(text=text, signature=signature, origin=chat.GEMINI if signature else None))
