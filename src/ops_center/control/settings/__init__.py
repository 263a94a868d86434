"""What an admin sets while the server runs: one section per subject."""
