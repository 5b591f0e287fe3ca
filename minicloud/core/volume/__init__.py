"""Block storage (Cinder): its records and rules."""
