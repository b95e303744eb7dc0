"""Queues and marks: droptail to FQ-CoDel, and the place of DualPI2."""
