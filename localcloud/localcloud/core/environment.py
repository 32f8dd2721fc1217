"""The environment variables that bring unmodified Google clients to the local cloud.

Every variable has a value, also those that undo a setting of the user's shell, so that `dict.update` suffices.
"""

from pathlib import Path

from localcloud.core.bearer import ADMINISTRATION, BearerTokens
from localcloud.core.ports import Ports
from localcloud.core.state_directory import StateDirectory

_LOOPBACK = "127.0.0.1,localhost,::1"


def variables(
    state: StateDirectory,
    ports: Ports,
    *,
    project: str,
    region: str,
    account: str = "",
    token_file: Path | None = None,
) -> dict[str, str]:
    """The variables with which a client finds the local cloud, and nothing else.

    `account`: the email address whose credential the client gets; "" = the local cloud's current user. `token_file`:
    holds that account's access token.
    """
    keys = BearerTokens(state.token)
    metadata_server = f"127.0.0.1:{ports.metadata}{account_path(account)}/{keys.key(metadata_purpose(account))}"
    return {
        **_routes(ports, keys.key(ADMINISTRATION)),
        **_trust(str(state.bundle)),
        **_identity(metadata_server, str(state.gcloud)),
        **_project(project, region),
        **_gcloud(state, metadata_server, project, region, token_file or state.access_token),
    }


def account_path(account: str) -> str:
    """Path of one account's metadata server: each container has its own."""
    return f"/as/{account}" if account else ""


def metadata_purpose(account: str) -> str:
    """Purpose of the key in the metadata server's address: a caller with the key of one account may not ask for another
    account's token."""
    return f"metadata {account}"


def _routes(ports: Ports, key: str) -> dict[str, str]:
    proxy = f"http://127.0.0.1:{ports.proxy}"
    return {
        "HTTPS_PROXY": proxy,
        "https_proxy": proxy,
        "NO_PROXY": _LOOPBACK,
        "no_proxy": _LOOPBACK,
        # gRPC prefers these two to the four above, so they override values of the user's shell.
        "grpc_proxy": proxy,
        "no_grpc_proxy": _LOOPBACK,
        # Directly to the servers: bulk transfers are two to four times as fast as through the proxy.
        # STORAGE_EMULATOR_HOST would do the same, but clients send no credentials with it.
        "API_ENDPOINT_OVERRIDE": f"http://127.0.0.1:{ports.storage}",
        "STORAGE_EMULATOR_HOST": "",
        "HF_ENDPOINT": f"http://127.0.0.1:{ports.hub}",
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "KF_PIPELINES_ENDPOINT": f"http://127.0.0.1:{ports.admin}/kfp/{key}",  # kfp.Client reads it
    }


def _trust(bundle: str) -> dict[str, str]:
    return {
        "SSL_CERT_FILE": bundle,  # httpx (openai, huggingface_hub) and the ssl module
        "REQUESTS_CA_BUNDLE": bundle,
        "CURL_CA_BUNDLE": bundle,
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": bundle,
        # A client certificate would send clients to *.mtls.googleapis.com.
        "GOOGLE_API_USE_CLIENT_CERTIFICATE": "false",
        "GOOGLE_API_USE_MTLS_ENDPOINT": "never",
    }


def _identity(metadata_server: str, gcloud_directory: str) -> dict[str, str]:
    return {
        "GCE_METADATA_HOST": metadata_server,
        # google-auth asks HOST for tokens and IP for "am I on Compute Engine?".
        "GCE_METADATA_IP": metadata_server,
        "GCE_METADATA_MTLS_MODE": "none",
        "NO_GCE_CHECK": "false",
        "GOOGLE_AUTH_TRUST_BOUNDARY_ENABLED": "false",
        # Both have precedence over the metadata server: a key file, and `gcloud auth application-default login`.
        "GOOGLE_APPLICATION_CREDENTIALS": "",
        "CLOUDSDK_CONFIG": gcloud_directory,
    }


def _project(project: str, region: str) -> dict[str, str]:
    return {
        "GOOGLE_CLOUD_PROJECT": project,
        "GCLOUD_PROJECT": project,
        "GOOGLE_CLOUD_QUOTA_PROJECT": "",
        "GOOGLE_CLOUD_REGION": region,
        "GOOGLE_CLOUD_LOCATION": region,
        "GOOGLE_CLOUD_UNIVERSE_DOMAIN": "googleapis.com",
    }


def _gcloud(state: StateDirectory, metadata_server: str, project: str, region: str, token_file: Path) -> dict[str, str]:
    """Properties of the gcloud command line; it takes the proxy from the variables above."""
    return {
        "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE": str(state.bundle),
        "CLOUDSDK_CORE_PROJECT": project,
        "CLOUDSDK_AI_REGION": region,
        "CLOUDSDK_COMPUTE_REGION": region,
        "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token_file),
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        # Switches off gcloud's usage reports and update checks.
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
        "CLOUDSDK_SURVEY_DISABLE_PROMPTS": "1",
        # gcloud's name for GCE_METADATA_HOST.
        "GCE_METADATA_ROOT": metadata_server,
    }
