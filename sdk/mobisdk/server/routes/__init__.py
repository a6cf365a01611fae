"""The server's routes, one resource a file."""
