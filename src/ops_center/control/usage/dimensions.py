"""What figures can be grouped and filtered by."""

from __future__ import annotations

from enum import StrEnum


class Dimension(StrEnum):
    PROVIDER = "provider"
    MODEL = "model"
    USER = "user"
    TEAM = "team"
    API_KEY = "api_key"
    TAG = "tag"
    CREDENTIAL = "credential"
    STATUS = "status"
    STRATEGY = "strategy"


NONE = "none"  # as a filter: requests that have none, such as those that reached no provider
