"""Prompts and answers, where an admin chose to keep them: redacted, sealed, for some days."""
