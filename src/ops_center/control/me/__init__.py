"""What everybody may see and change about themselves."""
