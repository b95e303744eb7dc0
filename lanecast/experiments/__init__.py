"""Plan to result to figure."""
