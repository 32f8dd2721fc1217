"""Tokens: OAuth 2, the Security Token Service, IAM Credentials and the metadata server."""
