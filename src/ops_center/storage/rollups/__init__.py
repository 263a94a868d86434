"""Sums of usage records by quarter-hour and by day, kept in the transaction that stores the records.

`sums.py` adds up, `store.py` brings sums into the tables, `rebuild.py` makes them anew from the records,
`verify.py` proves that they equal them. Reading them is `control/usage`'s business.
"""
