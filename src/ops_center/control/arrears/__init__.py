"""Requests whose model had no price: which those are, and their cost once it has one."""
