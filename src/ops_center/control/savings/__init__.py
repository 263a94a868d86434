"""Savings advice: what real traffic could have cost less by, with its evidence and what is assumed."""
