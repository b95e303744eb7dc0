"""Time, packets and endpoints: the engine and everything that sends or receives (no clock, no sockets)."""
