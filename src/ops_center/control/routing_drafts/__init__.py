"""The time machine: a policy that is not live, and recorded requests replayed through it."""
