"""OpenAI's legacy completions as OpenAI answers them: a text is continued, here like a last user message.

Shapes: https://platform.openai.com/docs/api-reference/completions (2026-11).
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ops_center.simulator.answers import Answer, Ask, compose, count_tokens
from ops_center.simulator.catalogues import SimulatedModel
from ops_center.simulator.config import SimulatorConfig
from ops_center.simulator.openai_chat import Refused, error_body, pieces, usage_body
from ops_center.simulator.reply import EVENT_TYPE, JSON_TYPE, Event, Reply, Tokens, sse

_numbers = itertools.count(1)


def completions(body: dict[str, Any], model: SimulatedModel, config: SimulatorConfig) -> Reply:
    """A completion of each prompt, streamed or not. Raises Refused."""
    given = body.get("prompt")
    prompts = [given] if isinstance(given, str) else given
    if not isinstance(prompts, list) or not prompts or not all(isinstance(text, str) for text in prompts):
        raise Refused("Invalid type for 'prompt'.", param="prompt", code="invalid_type")
    stop = body.get("stop")
    answers = [
        compose(
            Ask(
                model=body["model"],
                last_text=prompt,
                max_tokens=body.get("max_tokens", 16),
                stops=tuple([stop] if isinstance(stop, str) else stop or []),
                choice=choice,
            ),
            seed=config.seed,
            answer_tokens=config.answer_tokens,
        )
        for prompt in prompts
        for choice in range(body.get("n") or 1)
    ]
    tokens = Tokens(
        input=sum(count_tokens(prompt) for prompt in prompts),
        output=sum(answer.output_tokens for answer in answers),
    )
    echo = body.get("echo") is True
    texts = [
        (prompts[i * len(prompts) // len(answers)] if echo else "") + a.text for i, a in enumerate(answers)
    ]
    usage = usage_body(tokens, 0)
    head = {
        "id": f"cmpl-sim{next(_numbers):024d}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": model.id,
    }
    reply = Reply(
        model=model.id,
        tokens=tokens,
        cost_usd=model.cost_usd(tokens.input, tokens.output),
        error_event=sse(error_body("The server had an error.", "server_error")),
    )
    if body.get("stream"):
        include_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        reply.headers = [EVENT_TYPE, ("cache-control", "no-cache")]
        reply.events = list(_stream(head, answers, texts, usage, include_usage, config.chunk_tokens))
    else:
        choices = [
            _choice(i, text, _finish(a)) for i, (a, text) in enumerate(zip(answers, texts, strict=True))
        ]
        reply.headers = [JSON_TYPE]
        reply.body = msgspec.json.encode({**head, "choices": choices, "usage": usage})
    return reply


def _finish(answer: Answer) -> str:
    return "length" if answer.finish == "length" else "stop"


def _choice(index: int, text: str, finish: str | None = None) -> dict[str, Any]:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish}


def _stream(
    head: Mapping[str, Any],
    answers: list[Answer],
    texts: list[str],
    usage: Mapping[str, Any],
    include_usage: bool,
    chunk_tokens: int,
) -> Iterator[Event]:
    tail: dict[str, Any] = {"usage": None} if include_usage else {}
    for index, (answer, text) in enumerate(zip(answers, texts, strict=True)):
        for piece in pieces(text, chunk_tokens):
            yield Event(sse({**head, "choices": [_choice(index, piece)], **tail}), count_tokens(piece))
        yield Event(sse({**head, "choices": [_choice(index, "", _finish(answer))], **tail}))
    if include_usage:
        yield Event(sse({**head, "choices": [], "usage": usage}))
    yield Event(b"data: [DONE]\n\n")
