"""A Google Cloud project on one machine, for anyone's unmodified Google client."""

__version__ = "0.1.0"
