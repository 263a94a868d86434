"""wire/form_data.py: forms as clients write them, and one field of them replaced."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_center.errors import BadRequest
from ops_center.wire.form_data import FormData


def form(data: dict[str, str], files: dict[str, tuple[str, bytes, str]] | None = None) -> tuple[bytes, bytes]:
    """A form written by httpx, which OpenAI's client uses: body and content type."""
    request = httpx.Request(
        "POST", "http://x/", data=data, files=files or {"file": ("a.wav", b"RIFF", "audio/wav")}
    )
    return request.read(), request.headers["content-type"].encode()


def test_fields_are_found_beside_a_file() -> None:
    found = FormData(*form({"model": "whisper-1", "stream": "true", "language": ""}))
    assert (found.text("model"), found.text("stream"), found.text("language")) == ("whisper-1", "true", "")
    assert found.text("absent") is None


def test_a_value_is_replaced_and_nothing_else() -> None:
    body, content_type = form(
        {"model": "whisper-1", "prompt": "model"}, {"file": ("a", b"\r\n\x00--x", "audio/wav")}
    )
    changed = FormData(body, content_type).with_text("model", "whisper-large-v3")
    assert changed == body.replace(b"whisper-1", b"whisper-large-v3")
    again = FormData(changed, content_type)
    assert (again.text("model"), again.text("prompt")) == ("whisper-large-v3", "model")


def test_a_missing_field_is_added_first() -> None:
    body, content_type = form({"prompt": "p"})
    changed = FormData(body, content_type).with_text("model", "m")
    assert FormData(changed, content_type).text("model") == "m"
    assert changed.endswith(body)


def test_a_file_that_looks_like_a_field_is_none() -> None:
    trap = b'x\r\nContent-Disposition: form-data; name="model"\r\n\r\nevil\r\n'
    body, content_type = form({"model": "good"}, {"file": ("a", trap, "audio/wav")})
    assert FormData(body, content_type).text("model") == "good"


@given(st.binary(max_size=200), st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_file_and_any_text_survive(data: bytes, value: str) -> None:
    body, content_type = form({"model": value, "after": "z"}, {"file": ("a", data, "audio/wav")})
    found = FormData(body, content_type)
    assert (found.text("model"), found.text("after")) == (value, "z")
    assert FormData(found.with_text("model", "n"), content_type).text("after") == "z"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", b"multipart/form-data; boundary=x"),
        (b"{}", b"multipart/form-data; boundary=x"),
        (b"--x\r\n", b"multipart/form-data; boundary=x"),
        (
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nno end',
            b"multipart/form-data; boundary=x",
        ),
        (b"--x--\r\n", b"multipart/form-data"),
        (b"--x\r\n\r\n\r\n" * 300 + b"--x--", b"multipart/form-data; boundary=x"),
    ],
)
def test_what_is_no_form_is_refused(body: bytes, content_type: bytes) -> None:
    with pytest.raises(BadRequest):
        FormData(body, content_type)


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail_otherwise(data: bytes) -> None:
    try:
        FormData(b"--x" + data, b"multipart/form-data; boundary=x").text("model")
    except BadRequest:
        pass


def test_a_field_that_is_no_text_is_refused() -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\n\xff\xfe\r\n--x--\r\n'
    with pytest.raises(BadRequest) as refused:
        FormData(body, b'multipart/form-data; boundary="x"').text("model")
    assert refused.value.param == "model"
