"""Users' own keys at providers: each user's own, and an admin's view without any key in it."""
