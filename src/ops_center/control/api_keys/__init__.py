"""The API keys by which programs call us."""
