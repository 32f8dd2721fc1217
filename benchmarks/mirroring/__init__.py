"""A Hub and a Cloud Storage of little processor time, and the programs that are measured between them."""
