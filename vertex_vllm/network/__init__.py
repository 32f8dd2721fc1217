"""HTTP below every service: proxies, trusted authorities, bulk bytes, and failures told apart."""
