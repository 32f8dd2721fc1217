"""The services of the local cloud, one folder each."""
