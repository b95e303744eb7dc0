"""Adaptive-bitrate controllers."""
