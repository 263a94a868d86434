"""The endpoints beside chat: one way for embeddings, images, audio, moderations and reranking.

Everything of the pipeline holds for them; what differs is here: the request's head may stand in a form, and
the answer passes untouched, as whole JSON or as whatever comes. Nothing is translated.
"""

from __future__ import annotations

import re

import msgspec

from ops_center.dataplane.answer import Answer, StreamAnswer, WholeAnswer, error_inside
from ops_center.dataplane.call import Call, RequestHead, bad_field, next_turn
from ops_center.dataplane.meter import Attempt
from ops_center.dataplane.request_body import with_model
from ops_center.dataplane.upstream import Upstream, refusal
from ops_center.errors import BadRequest, ProviderUnusable
from ops_center.providers.tasks import TASKS, Task
from ops_center.route_request import RouteRequest, estimated_tokens
from ops_center.snapshot import Target
from ops_center.transport.client import Response
from ops_center.wire.form_data import FormData
from ops_center.wire.openai_tasks import PassingWatch, TaskHead, read_answer
from ops_center.wire.provider_errors import read_provider_error

_MAX_ANSWER_BYTES = 64 * 1024 * 1024
_JSON = b"application/json"
_EVENTS = b"text/event-stream"
# What an answer may be; a page of HTML is no answer, and nothing else is passed on under its own name.
_CONTENT_TYPE = re.compile(
    rb"(?:audio|image)/[\w.+-]+|application/(?:octet-stream|x-subrip)|text/(?:plain|vtt|srt)"
)
_head_decoder = msgspec.json.Decoder(TaskHead)


class TaskCall(Call):
    """A call of one of `TASKS`."""

    __slots__ = ("_form", "task")
    task: Task

    @property
    def countable(self) -> bool:
        return self.task.from_text

    def read(self) -> RouteRequest:
        """Decode what decides, from JSON or a form. Raises BadRequest naming the field."""
        self.task = TASKS[self.endpoint]
        content_type = self.headers.get(b"content-type", b"")
        if content_type[:19].lower() == b"multipart/form-data":
            self._form: FormData | None = FormData(self.body, content_type)
            stream = self._form.text("stream")
            head = TaskHead(self._form.text("model"), stream is not None and stream.lower() == "true")
        else:
            self._form = None
            head = self._json_head()
        self.head = RequestHead(model=head.model, stream=head.stream)
        self.stream = head.stream is True
        self.read_deadline()
        self.read_power_level()
        return RouteRequest(
            model=head.model,
            power_level=self.power_level,
            byok_policy=self.byok_policy(),
            task=self.task,
            input_tokens=estimated_tokens(self.body) if self.task.from_text else 0,
            max_output_tokens=1 if self.task.from_text else None,  # an embedding is no text
            turn=next_turn(),
        )

    def _json_head(self) -> TaskHead:
        try:
            return _head_decoder.decode(self.body)
        except msgspec.ValidationError as error:
            raise bad_field(str(error)) from None
        except (msgspec.DecodeError, RecursionError):
            raise BadRequest("The request body is not valid JSON.") from None

    def body_for(self, target: Target) -> tuple[bytes, bytes]:
        """The body with the target's model in place, and its content type."""
        if self._form is None:
            return with_model(self.body, self.head.model, target.model), _JSON
        if self.head.model == target.model:
            return self.body, self.headers[b"content-type"]
        return self._form.with_text("model", target.model), self.headers[b"content-type"]


async def ask(attempt: Attempt, call: TaskCall, upstream: Upstream) -> Answer:
    """One target's answer, passed on as it comes. Raises the provider's error."""
    target = attempt.target
    body, content_type = call.body_for(target)
    path = target.provider.spec.task_path(call.task.endpoint)
    assert path is not None, "the plan holds only targets that serve the task"
    response = await upstream.send_to(
        target,
        path,
        body,
        credential=attempt.credential,
        content_type=content_type,
        stream=call.stream,
        client_headers=call.headers,
        time_limits=call.time_limits,
        deadline=call.deadline,
    )
    attempt.status = response.status
    try:
        if response.status != 200:
            raise await refusal(response, target, target.provider.spec.format)
        kind = (response.header(b"content-type") or b"").partition(b";")[0].strip().lower()
        if kind == _JSON:
            return await _whole(attempt, call, response)
        return await _first_bytes(attempt, response, kind)
    except BaseException:
        response.close()
        raise


async def _whole(attempt: Attempt, call: TaskCall, response: Response) -> WholeAnswer:
    body = await response.read(_MAX_ANSWER_BYTES)
    facts = read_answer(body, pictures=call.task.capability == "image_generation")
    if not facts.valid:
        raise error_inside(read_provider_error(200, body))
    attempt.answered()
    return WholeAnswer(attempt, body, facts.usage, None, 0, units=facts.units)


async def _first_bytes(attempt: Attempt, response: Response, kind: bytes) -> StreamAnswer:
    if kind != _EVENTS and not _CONTENT_TYPE.fullmatch(kind):
        raise ProviderUnusable(
            "The provider's answer is unusable.", provider_status=200, detail="neither JSON, sound nor text"
        )
    watch = PassingWatch(events=kind == _EVENTS)
    data = await response.chunk()
    if not data:
        raise ProviderUnusable(
            "The provider's answer is empty.", provider_status=200, detail="a 200 without a body"
        )
    attempt.answered()
    return StreamAnswer(attempt, response, watch, watch.feed(data), content_type=kind)
