"""What is asked and what a whole answer must contain: the same bodies for every side of a comparison.

The simulator answers a message that starts with `say:` with exactly the rest of it, so each answer can be
checked for its text.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

STREAM_CHUNKS = 64
_CHUNK_CHARACTERS = 16  # the simulator's chunk: four tokens of four characters
_FILLER = "Rows of figures need a source, a date and somebody who looked at them twice before they went out. "
OPENAI_MODEL = "gpt-4o-mini"
ANTHROPIC_MODEL = "claude-haiku-4-5"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A request's body and the text of the answer that belongs to it."""

    body: bytes
    text: str
    stream: bool = False

    def request(self, port: int, api_key: str, headers: Sequence[tuple[str, str]] = ()) -> bytes:
        """The whole HTTP/1.1 request, head and body; `headers` are those that only this side needs."""
        more = "".join(f"{name}: {value}\r\n" for name, value in headers)
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
            f"authorization: Bearer {api_key}\r\ncontent-type: application/json\r\n"
            f"accept: */*\r\nuser-agent: ops-center-benchmark\r\n{more}content-length: {len(self.body)}\r\n\r\n"
        )
        return head.encode() + self.body


def whole(model: str = OPENAI_MODEL) -> Question:
    """Not streamed: 1 KB in, 1 KB out."""
    text = _text(466)
    system = _text(421)
    return _question(model, text, system=system, stream=False)


def streamed(model: str = OPENAI_MODEL) -> Question:
    """Streamed: an answer of 64 chunks with text."""
    return _question(model, _text(STREAM_CHUNKS * _CHUNK_CHARACTERS), system=None, stream=True)


def paced(model: str) -> Question:
    """A stream of the pacer, which says what it likes."""
    return _question(model, "go", system=None, stream=True)


def _text(characters: int) -> str:
    # ends in a full stop, since the simulator strips the text
    return (_FILLER * (characters // len(_FILLER) + 1))[: characters - 1] + "."


def _question(model: str, text: str, *, system: str | None, stream: bool) -> Question:
    messages = [{"role": "user", "content": f"say: {text}"}]
    if system is not None:
        messages.insert(0, {"role": "system", "content": system})
    body: dict[str, object] = {"model": model, "temperature": 0.2, "max_tokens": 1000, "messages": messages}
    if stream:
        body["stream"] = True
    return Question(body=msgspec.json.encode(body), text=text, stream=stream)
