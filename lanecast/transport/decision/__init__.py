"""Decisions: what a controller is told and answers, what deciding costs, and what guards it."""
