"""What the gateway tells people without being asked: by e-mail, and to a signed webhook."""
