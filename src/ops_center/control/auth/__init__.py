"""Who is there: set-up, login, sessions, passwords."""
