"""Users who share a purse, and keys that belong to them together."""
