"""Links with which people make their own accounts."""
