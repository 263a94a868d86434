"""Alerts: conditions of traffic that somebody should know of, opened and closed by themselves."""
