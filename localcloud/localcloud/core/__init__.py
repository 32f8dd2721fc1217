"""State, time, names and permissions that every service is given."""
