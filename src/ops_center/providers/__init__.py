"""Whom we can call: one row per provider type."""
