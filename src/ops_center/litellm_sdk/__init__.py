"""LiteLLM's SDK as an optional extra, in a process of its own: for the long tail of providers."""
