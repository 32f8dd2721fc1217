"""HTTP below every service: bulk bytes, proxies, trusted authorities, and failures of the network told apart."""
