"""Who is signed in from where, and the end of it."""
