"""A stream in one format read as another: provider's bytes in, client's bytes out, by the neutral form.

Has the same attributes as the watches of `watch.py`, so that the relay need not know which one it holds.
"""

from __future__ import annotations

from types import ModuleType

from ops_center.errors import ProviderUnusable
from ops_center.types import Usage
from ops_center.wire import chat
from ops_center.wire.chat import ProviderErrorFacts
from ops_center.wire.sse import SseEvent, SseReader


class StreamTranslator:
    """Feed it the provider's bytes; what comes back goes to the client. Sans-IO."""

    __slots__ = (
        "_decoder",
        "_encoder",
        "_reader",
        "error",
        "finish_reason",
        "finished",
        "output_bytes",
        "output_events",
        "partial_usage",
        "started",
        "unusable",
        "usage",
    )

    def __init__(
        self,
        *,
        provider: ModuleType,
        client: ModuleType,
        model: str,
        request_id: str,
        created: int,
        include_usage: bool,
        request: chat.ChatRequest | None = None,
    ) -> None:
        """`request` is what the client asked, for formats whose answers repeat it."""
        # a format that frames its streams in another way brings a reader of its own
        self._reader = getattr(provider, "StreamReader", SseReader)()
        self._decoder = provider.StreamDecoder()
        self._encoder = client.StreamEncoder(
            model=model,
            request_id=request_id,
            created=created,
            include_usage=include_usage,
            request=request,
        )
        self.usage: Usage | None = None
        self.partial_usage: Usage | None = None  # the input, known of a stream that broke off before its end
        self.finish_reason: str | None = None
        self.started = False
        self.finished = False
        self.error: ProviderErrorFacts | None = None
        self.unusable = False
        self.output_bytes = 0
        self.output_events = 0

    def feed(self, data: bytes) -> bytes:
        return self._translate(self._reader.feed(data))

    def close(self) -> bytes:
        """The provider's stream has ended; flushes an event without its last blank line."""
        out = self._translate(self._reader.close())
        if not self.started and self.error is None:
            self.unusable = True
        if self.finish_reason is not None and not self.finished and self.error is None:
            out += self._encoder.close()  # some servers say why they stopped and leave out the last event
            self.finished = True
        return out

    def _translate(self, events: list[SseEvent]) -> bytes:
        out: list[bytes] = []
        for event in events:
            if self.finished or self.error is not None:
                break
            try:
                neutral = self._decoder.feed(event)
            except ProviderUnusable:
                self.unusable = True
                break
            for each in neutral:
                if isinstance(each, chat.StreamError):
                    self.error = ProviderErrorFacts(code=each.code, type=each.type, message=each.message)
                    break
                self._note(each)
                out.append(self._encoder.encode(each))
            if self._decoder.finished and self.error is None:
                out.append(self._encoder.close())
                self.finished = True
        return b"".join(out)

    def _note(self, event: chat.StreamEvent) -> None:
        if isinstance(event, chat.TextDelta | chat.ThinkingDelta | chat.RefusalDelta):
            self._count(event.text)
        elif isinstance(event, chat.ToolCallDelta):
            self._count(event.arguments)
        elif isinstance(event, chat.UsageEvent):
            self.usage = event.usage
            return  # some servers send usage alone before they begin
        elif isinstance(event, chat.Start):
            self.partial_usage = event.usage
        elif isinstance(event, chat.Finish) and (event.choice == 0 or self.finish_reason is None):
            self.finish_reason = event.finish_reason
        self.started = True

    def _count(self, text: str) -> None:
        if text:
            self.output_bytes += len(text.encode())
            self.output_events += 1
