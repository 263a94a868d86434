"""telemetry/logging.py: one way out for every event, with secrets masked."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from ops_center.telemetry.logging import configure_logging, mask


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("text", "kept", "gone"),
    [
        ("key sk-ant-REDACTED refused", "refused", "abcdefgh12345678"),
        ("key sk-oc-abcdefgh12345678", "key", "abcdefgh12345678"),
        ("Authorization: Bearer xyz.abc", "Authorization", "xyz.abc"),
        ('{"x-api-key": "topsecret"}', "x-api-key", "topsecret"),
        ("postgresql://ops:hunter2@db/ops", "@db/ops", "hunter2"),
        ("password=hunter2&x=1", "x=1", "hunter2"),
        ("Cookie: ops_center_session=abcdef", "Cookie", "abcdef"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, kept: str, gone: str) -> None:
    assert kept in mask(text)
    assert gone not in mask(text)


def test_ordinary_text_is_left_alone() -> None:
    text = "http://127.0.0.1:8084/setup?token=abc task-force asks for a bear"
    assert mask(text) == text


def test_events_are_json_lines_with_nested_secrets_masked() -> None:
    stream = io.StringIO()
    configure_logging("info", stream=stream)
    structlog.get_logger("ops_center.x").info(
        "called", headers={"authorization": "Bearer sk-abcdefghijkl"}, n=3
    )
    [line] = lines(stream)
    assert line["event"] == "called"
    assert line["level"] == "info"
    assert line["n"] == 3
    assert "abcdefghijkl" not in stream.getvalue()


def test_a_traceback_is_masked_too() -> None:
    stream = io.StringIO()
    configure_logging("info", stream=stream)
    try:
        raise ValueError("sk-abcdefghijkl was wrong")
    except ValueError as error:
        structlog.get_logger().error("failed", exc_info=error)
    [line] = lines(stream)
    assert "ValueError" in str(line["exception"])
    assert "abcdefghijkl" not in stream.getvalue()


def test_libraries_take_the_same_way_out() -> None:
    stream = io.StringIO()
    configure_logging("info", stream=stream)
    logging.getLogger("some.library").warning("used %s", "sk-abcdefghijkl")
    [line] = lines(stream)
    assert line["event"] == "used sk-••••"
    assert line["logger"] == "some.library"


def test_events_below_the_level_are_not_written() -> None:
    stream = io.StringIO()
    configure_logging("error", stream=stream)
    structlog.get_logger().info("quiet")
    logging.getLogger("some.library").warning("quiet")
    assert stream.getvalue() == ""


def test_a_terminal_gets_a_readable_line() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    configure_logging("info", stream=stream)
    structlog.get_logger().info("ready", port=8084)
    assert "ready" in stream.getvalue()
    assert not stream.getvalue().startswith("{")
