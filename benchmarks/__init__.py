"""What the gateway costs: CPU time, latency, memory and start-up, beside nginx in front of the same upstream.

Run it with `python -m benchmarks`. Measures a real `ops-center serve` from outside; it patches and imports
nothing of the server, and it never leaves loopback.
"""
