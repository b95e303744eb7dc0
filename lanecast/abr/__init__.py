"""Rungs: adaptive bitrate, 360-degree tiles and KV-cache levels (the decision bases stand here)."""
