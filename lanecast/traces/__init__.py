"""Capacity, delay and loss over time: formats, statistics and generators."""
