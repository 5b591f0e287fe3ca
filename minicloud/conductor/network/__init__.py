"""Work on networks that reaches out to hosts."""
