"""Only `framework`."""
