"""A Hub and a Cloud Storage that cost next to nothing, and what is measured between them."""
