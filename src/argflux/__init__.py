"""argflux."""
