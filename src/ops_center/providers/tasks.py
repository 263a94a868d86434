"""What a provider may be asked beside conversations: one row per endpoint, alike for us and for providers.

Data only. The capability is how a model's facts say that it does this (`catalog/names.OTHER_TASKS`).
"""

from __future__ import annotations

import msgspec


class Task(msgspec.Struct, frozen=True):
    """`endpoint` is the path behind `/v1/`; `from_text` says whether tokens can be guessed from the request."""

    endpoint: str
    capability: str
    from_text: bool = False


TASKS: dict[str, Task] = {
    task.endpoint: task
    for task in (
        # https://platform.openai.com/docs/api-reference (2026-11)
        Task("embeddings", "embedding", from_text=True),
        Task("images/generations", "image_generation"),
        Task("audio/transcriptions", "transcription"),
        Task("audio/speech", "speech"),
        Task("moderations", "moderation"),
        # https://docs.cohere.com/reference/rerank, https://api.jina.ai/redoc (2026-11); OpenAI has none
        Task("rerank", "rerank"),
    )
}
