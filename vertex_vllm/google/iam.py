"""Grants on a resource itself, never on its project."""

from typing import TYPE_CHECKING

from vertex_vllm.google.shared_clients import default_credentials

if TYPE_CHECKING:
    from google.cloud.storage import Bucket

# Seconds. Two concurrent writers of one policy need far less.
_PATIENCE = 60


def grant_on_bucket(bucket: "Bucket", role: str, member: str) -> bool:
    """Gives `member` (for example `serviceAccount:NAME@PROJECT.iam.gserviceaccount.com`) the role on the bucket.

    Read, modify, write with the policy's etag; repeated when another writer changed it meanwhile. Returns False, having
    changed nothing, when the member has the role already. Raises what google-cloud-storage raises.
    """
    from google.api_core.exceptions import Conflict, PreconditionFailed

    from vertex_vllm.retries import google_retry

    def grant() -> bool:
        # Version 3, or conditions on other grants would be lost on writing back ("Policy versions").
        policy = bucket.get_iam_policy(requested_policy_version=3)
        unconditional = [entry for entry in policy.bindings if entry["role"] == role and not entry.get("condition")]
        if any(member in entry["members"] for entry in unconditional):
            return False
        policy.version = 3
        if unconditional:
            unconditional[0]["members"] = {*unconditional[0]["members"], member}
        else:
            policy.bindings.append({"role": role, "members": {member}})
        bucket.set_iam_policy(policy)
        return True

    changed: bool = google_retry(_PATIENCE, (Conflict, PreconditionFailed))(grant)()
    return changed


def own_member() -> str:
    """The identity of this process as a grant names it; words in capitals where it is unknown."""
    # A person's credentials seldom contain their address.
    return own_account() or "user:YOUR_ADDRESS"


def own_account() -> str:
    """The identity of this process as a grant names it; empty where it is unknown."""
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import Request

    try:
        credentials = default_credentials()
        email = getattr(credentials, "service_account_email", "")
        if email == "default":  # On a Google machine, the metadata server gives it with the first token.
            credentials.refresh(Request())
            email = credentials.service_account_email
    except GoogleAuthError:
        return ""
    person = getattr(credentials, "account", "")
    return f"serviceAccount:{email}" if email else f"user:{person}" if person else ""
