"""The home page's answers: is anything broken, what does it cost, what changed."""
