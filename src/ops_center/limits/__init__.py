"""Limits: how fast a caller may go and how much may be spent, taken before a call and settled after it.

`memory.py` keeps them for one process. Who may call and what is set are the snapshot's business.
"""

from ops_center.limits.memory import MemoryLimiter

__all__ = ["MemoryLimiter"]
