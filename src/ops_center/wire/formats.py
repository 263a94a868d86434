"""The formats by name: each value is the module that reads and writes it (same names in every module)."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from ops_center.wire import anthropic_messages, openai_chat

WIRES: Mapping[str, ModuleType] = {"openai_chat": openai_chat, "anthropic_messages": anthropic_messages}
