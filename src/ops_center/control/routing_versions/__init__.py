"""Every change of where traffic goes, kept as a version that can be looked at and returned to."""
