"""Execution: what is known of every order, and what to believe after an outage. Pure."""
