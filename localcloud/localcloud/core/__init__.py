"""State, time, names and permissions, which all services share."""
