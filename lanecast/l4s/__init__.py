"""Queues and marks: droptail to FQ-CoDel, DualPI2, PI2, step."""
