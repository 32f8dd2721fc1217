"""A project made ready for the pipelines: what it has to hold, as values, and the little that makes it so."""
