"""How much may be spent, by whom, and how much of it is gone."""
