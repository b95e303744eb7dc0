"""KV-cache streaming: levels and loading."""
