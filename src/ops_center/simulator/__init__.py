"""Simulated providers: the formats of the real ones with settable latency, prices and faults."""
