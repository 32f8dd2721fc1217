"""The metadata server of a machine of Google Cloud: tokens of the account that the machine runs as."""
