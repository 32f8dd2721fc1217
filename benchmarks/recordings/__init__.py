"""Recorded answers of real services, sent to a local cloud again and compared: how faithful it is, as a number."""
