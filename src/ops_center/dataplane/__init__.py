"""The way of a request: answers `/v1/...` from a snapshot, without a database and without a framework."""
