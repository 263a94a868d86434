"""The ledger, row by row: every request with its attempts."""
