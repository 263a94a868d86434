"""How models are called: the name two providers share, the name without its date, and what a name says.

Rules over text alone; which names exist is a matter of `data/`.
"""

from __future__ import annotations

import functools
import re

_VERSION_DOT = re.compile(r"(?<=\d)\.(?=\d)")
_DATE = re.compile(r"[-@](?:20\d\d-\d\d-\d\d|20\d{6}|latest|default)$")
# Amazon Bedrock: "us.anthropic.claude-haiku-4-5-20251001-v1:0"
_BEDROCK_HEAD = re.compile(
    r"^(?:(?:us|eu|au|jp|apac|global)\.)?(?:anthropic|deepseek|meta|mistral|openai|xai)\."
)
_BEDROCK_TAIL = re.compile(r"-v\d+(?::\d+)?$")
_TUNING = re.compile(r"-(?:instruct|it|versatile|instant|maas|fp8|bf16)$")


def canonical_name(model: str) -> str:
    """The name by which the same model at several providers is recognised.

    The maker's prefix goes, case goes, a dot between digits becomes a dash: `anthropic/claude-haiku-4.5`
    and `claude-haiku-4-5` are one model. Variants (`:free`) and dated releases stay apart.
    """
    return _canonical(model) if len(model) < _LONGEST_KEPT else _canonical.__wrapped__(model)


@functools.lru_cache(maxsize=16384)
def _canonical(model: str) -> str:
    return _VERSION_DOT.sub("-", model.rsplit("/", 1)[-1].lower())


_LONGEST_KEPT = 200  # callers send names too; no memory for absurd ones


def undated_name(canonical: str) -> str:
    """A canonical name without the date or `latest` at its end; months alone (`-2507`) stay."""
    return _DATE.sub("", canonical)


def score_names(model: str) -> tuple[str, ...]:
    """The names under which a model's score may stand, most exact first.

    Quality belongs to the weights, not to who serves them: so the variant (`:free`), the date, the words
    for tuning and number format, and Bedrock's regions are tried without, one after the other.
    """
    name = canonical_name(model)
    names = [name, undated_name(name)]
    bare = undated_name(_BEDROCK_TAIL.sub("", _BEDROCK_HEAD.sub("", name)).partition(":")[0])
    names += [bare, _TUNING.sub("", bare), _TUNING.sub("", _TUNING.sub("", bare))]
    return tuple(dict.fromkeys(names))


# Capabilities of models that do not answer /chat/completions; the strategies never choose one of these.
OTHER_TASKS = frozenset(
    {
        "embedding",
        "image_generation",
        "audio",
        "speech",
        "transcription",
        "moderation",
        "rerank",
        "responses_only",  # OpenAI serves it under /responses alone
    }
)

# What a model does when it does not converse, by the words makers put into its name. The lists of models
# that providers publish hold no other hint (https://platform.openai.com/docs/models, 2026-11).
_TASKS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("moderation", re.compile(r"moderation|prompt-guard|llama-guard|content-safety|safeguard|shieldgemma")),
    ("rerank", re.compile(r"rerank")),
    ("embedding", re.compile(r"embed|^bge-|^gte-|^e5-|^voyage-")),
    ("transcription", re.compile(r"whisper|transcribe|-asr|^parakeet|^canary-")),
    ("speech", re.compile(r"^tts-|-tts\b|text-to-speech|orpheus|^lyria")),
    ("audio", re.compile(r"realtime|-audio(?:-|$)|^gpt-live")),
    (
        "image_generation",
        re.compile(
            r"^dall-e|^gpt-image|^chatgpt-image|^imagen|^flux|stable-diffusion|^sora|^veo-|^qwen-image"
        ),
    ),
)


def task_of_name(model: str) -> str | None:
    """The task that a name gives away, such as `embedding`; None for a model that converses."""
    name = canonical_name(model)
    return next((task for task, pattern in _TASKS if pattern.search(name)), None)
