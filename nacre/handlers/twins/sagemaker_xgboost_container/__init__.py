"""Only `encoder`."""
