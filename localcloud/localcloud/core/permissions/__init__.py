"""Permissions: policies, roles, and what each method asks for."""
