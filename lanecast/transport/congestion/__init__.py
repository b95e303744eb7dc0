"""Congestion controllers: one law a file, on the base that the sender calls."""
