"""Which model is chosen when the caller leaves it to us, and the explanation of a choice."""
