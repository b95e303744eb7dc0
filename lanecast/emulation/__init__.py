"""Paths and drivers: links, impairments, topologies, and who owns the clock."""
