"""Who may do what: policies, roles, and the permissions that methods ask for."""
