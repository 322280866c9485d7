"""Tables and curves made after the fact, of finished runs."""
