"""The project that Google Cloud charges calls to."""

import os

_VARIABLE = "GOOGLE_CLOUD_QUOTA_PROJECT"


def charge(project: str) -> None:
    """Charges this process's calls with a person's credentials to `project`, unless the environment names another.

    Otherwise they are charged to the quota project of those credentials, where the API may be disabled, and some APIs
    refuse credentials that have none (google-auth-library-python#1459, cloud-custodian#6608). A service account's calls
    are charged to its own project without any permission: they stay as they are. Without credentials nothing happens;
    the first call then fails and says so.
    """
    import google.auth
    from google.auth.exceptions import GoogleAuthError
    from google.oauth2.credentials import Credentials

    if os.environ.get(_VARIABLE):
        return
    try:
        credentials, _ = google.auth.default()
    except GoogleAuthError:
        return
    if isinstance(credentials, Credentials):
        os.environ[_VARIABLE] = project
