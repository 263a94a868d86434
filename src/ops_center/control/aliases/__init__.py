"""Names that stand for families of models: the packaged ones, and what an admin makes of them."""
