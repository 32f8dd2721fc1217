"""The caller of a request, and the repos that the caller may read."""

import hashlib
from pathlib import Path

from localcloud.services.hub.hub_errors import HubError, bad_token, gated_repo, repo_not_found
from localcloud.services.hub.registry import Repo, Token, find_repo, find_token


def identify(data_dir: Path, authorization: str | None) -> Token | None:
    """The caller's token; None for an anonymous caller. Raises HubError (401) for an unknown token."""
    if authorization is None:
        return None
    scheme, _, secret = authorization.partition(" ")
    digest = hashlib.sha256(secret.strip().encode()).hexdigest()
    token = find_token(data_dir, digest) if scheme.lower() == "bearer" else None
    if token is None:
        raise bad_token()
    return token


def visible_repo(data_dir: Path, repo_id: str, token: Token | None) -> Repo:
    """The repo. Raises HubError (401, 404) if it is missing, or private to others."""
    repo = find_repo(data_dir, repo_id)
    if repo is None or (repo.private and not _is_granted(repo, token)):
        raise repo_not_found(token is not None)
    if not repo.path.is_dir():
        raise HubError(500, "", f"The directory of {repo.id} is gone: {repo.path}")
    return repo


def check_gate(repo: Repo, token: Token | None) -> None:
    """Raises HubError (401, 403) if the repo is gated and the caller has not been granted access."""
    if repo.gated and not _is_granted(repo, token):
        raise gated_repo(repo.id, token is not None)


def _is_granted(repo: Repo, token: Token | None) -> bool:
    return token is not None and (repo.id in token.granted or repo.owner == token.user)
