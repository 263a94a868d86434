"""Whom we call: configured providers, the test of their keys, and the discovery of their models."""
