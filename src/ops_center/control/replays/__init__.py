"""Requests sent again by an admin, to another provider or the same one, and what came of it beside the original."""
