"""HTTP below every service: bulk bytes, proxies, trusted authorities, and kinds of network failures."""
