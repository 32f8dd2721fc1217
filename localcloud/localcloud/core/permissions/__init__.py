"""Permissions: policies, roles, and the permissions of each method."""
