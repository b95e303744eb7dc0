"""Learned parts (the only room with torch)."""
