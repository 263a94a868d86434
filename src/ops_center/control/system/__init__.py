"""What this installation says about itself."""
