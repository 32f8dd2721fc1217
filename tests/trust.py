"""Whom clients of a test's local cloud trust."""

from pathlib import Path

from localcloud.daemon import Connection


def trust_its_own_authority_alone(cloud: Connection) -> None:
    """Takes the public authorities out of the bundle that the local cloud's environment names.

    Every client that is made reads the bundle, 40 ms with some 140 public authorities in it; tests call nobody else.
    """
    bundle = Path(cloud.environment["SSL_CERT_FILE"])
    bundle.write_bytes(bundle.with_name("certificate.pem").read_bytes())
