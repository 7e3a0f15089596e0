"""How the service does under load and under faults."""
