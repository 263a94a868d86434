"""The official `openai` client's embeddings, images, audio and moderations against a live server."""

from __future__ import annotations

import base64

import openai
import pytest

from live import LiveServer, SimulatorThread

SOUND = ("speech.wav", b"RIFF" + bytes(8192), "audio/wav")


def test_embeddings_in_both_encodings(openai_client: openai.OpenAI) -> None:
    texts = ["a fox", "a dog"]
    # the client asks for base64 by itself and decodes it; asked for floats it takes what comes
    packed = openai_client.embeddings.create(model="text-embedding-3-small", input=texts)
    plain = openai_client.embeddings.create(
        model="text-embedding-3-small", input=texts, encoding_format="float", dimensions=1536
    )
    assert [len(one.embedding) for one in packed.data] == [1536, 1536]
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)
    assert packed.usage.prompt_tokens == 4


def test_images(openai_client: openai.OpenAI) -> None:
    answer = openai_client.images.generate(model="gpt-image-1", prompt="a fox", n=2)
    assert answer.data is not None
    pictures = [base64.b64decode(one.b64_json or "") for one in answer.data]
    assert len(pictures) == 2
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert answer.usage is not None
    assert answer.usage.output_tokens == 544


def test_speech_whole_and_streamed(openai_client: openai.OpenAI) -> None:
    whole = openai_client.audio.speech.create(model="tts-1", voice="alloy", input="hello there").read()
    with openai_client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input="hello there"
    ) as streamed:
        assert streamed.headers["content-type"] == "audio/mpeg"
        assert b"".join(streamed.iter_bytes(512)) == whole
    assert len(whole) > 1000


@pytest.mark.parametrize("model", ["whisper-1", "gpt-4o-mini-transcribe"])
def test_transcription(openai_client: openai.OpenAI, model: str) -> None:
    answer = openai_client.audio.transcriptions.create(model=model, file=SOUND, language="en")
    assert answer.text == "A sound of 8196 bytes."


def test_streamed_transcription(openai_client: openai.OpenAI) -> None:
    events = list(
        openai_client.audio.transcriptions.create(model="gpt-4o-mini-transcribe", file=SOUND, stream=True)
    )
    assert [event.type for event in events] == ["transcript.text.delta", "transcript.text.done"]


def test_moderations(openai_client: openai.OpenAI) -> None:
    answer = openai_client.moderations.create(input=["some violence", "a fox"])
    assert [result.flagged for result in answer.results] == [True, False]


def test_what_is_missing_is_the_providers_own_refusal(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        openai_client.images.generate(model="gpt-image-1", prompt="")
    assert refused.value.param == "prompt"


def test_the_ledger_holds_every_endpoint(
    openai_client: openai.OpenAI, server: LiveServer, simulator: SimulatorThread
) -> None:
    before = {request["id"] for request in server.requests()}
    openai_client.embeddings.create(model="text-embedding-3-small", input="a fox" * 100)
    openai_client.audio.speech.create(model="tts-1", voice="alloy", input="hello").read()
    added = [request for request in server.requests() if request["id"] not in before]
    assert len(added) == 2
    by_endpoint = {request["endpoint"]: request for request in added}
    assert by_endpoint["embeddings"]["cost_usd"] == pytest.approx(float(simulator.totals.cost_usd))
    assert by_endpoint["embeddings"]["input_tokens"] == 125
    assert by_endpoint["audio/speech"]["cost_usd"] is None
    assert by_endpoint["audio/speech"]["cost_source"] == "unknown"
