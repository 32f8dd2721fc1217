"""The variables with which pip reaches a package index, also in a shell that points to the local cloud."""

from collections.abc import Mapping

# Variables by which the local cloud takes clients to its proxy, which has no way to a package index.
_WAY_TO_THE_CLOUD = ("HTTPS_PROXY", "https_proxy", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def variables_for_pip(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` without the variables that point to the local cloud."""
    in_the_cloud = environment.get("GCE_METADATA_HOST", "").startswith("127.0.0.1:")
    withheld = _WAY_TO_THE_CLOUD if in_the_cloud else ()
    return {name: value for name, value in environment.items() if name not in withheld}
