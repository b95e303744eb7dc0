"""LLM token streaming: sources, schemes, rendering and stall metrics."""
