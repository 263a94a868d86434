"""Ops-Center: an LLM gateway in front of every provider, and the console that runs it."""

__version__ = "0.1.0"
