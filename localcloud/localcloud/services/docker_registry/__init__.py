"""The registry of images: what the tag of an image points at."""
