"""The control plane: `/api/v1/...`, one folder per noun; owns the database and publishes snapshots."""
