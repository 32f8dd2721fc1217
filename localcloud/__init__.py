"""A Google Cloud project on one machine, for anyone's unmodified Google client."""
