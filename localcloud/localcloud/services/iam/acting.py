"""Acting as a service account: a caller whose work runs as one needs `iam.serviceAccounts.actAs` on it."""

from localcloud.core.api_errors import ApiError
from localcloud.core.callers import caller
from localcloud.core.cloud import Cloud
from localcloud.core.permissions.accounts import account_name
from localcloud.core.permissions.decisions import has
from localcloud.core.signed_tokens import SERVICE_ACCOUNTS

ACT_AS = "iam.serviceAccounts.actAs"


def may_act_as(cloud: Cloud, email: str) -> bool:
    """Whether the current caller may act as the account; False if it does not exist."""
    exists = cloud.store.get(SERVICE_ACCOUNTS, email) is not None
    return exists and has(cloud, caller(), ACT_AS, account_name(cloud, email))


def check_act_as(cloud: Cloud, email: str) -> None:
    """Raises ApiError INVALID_ARGUMENT in Vertex AI's words (googleapis/python-aiplatform#1073, 2022-03-10)."""
    if not may_act_as(cloud, email):
        raise ApiError(
            "INVALID_ARGUMENT",
            f"You do not have permission to act as service_account: {email}. (or it may not exist).",
        )
