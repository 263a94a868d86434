"""Saved views: what the address of a page said, kept under a name."""
