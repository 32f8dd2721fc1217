"""Checks of names before they are put into URLs and object names."""

import re
import unicodedata

from vertex_vllm.errors import InputError, RevisionNotFoundError

# huggingface_hub `validate_repo_id`: at most 96 of [A-Za-z0-9_.-], no "--" or "..", no - or . at the ends of a part.
_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"
_MODEL_ID = re.compile(rf"{_PART}/{_PART}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
# Cloud Storage, "Object names": at most 1024 bytes with the prefix before it; no CR or LF.
_LONGEST_PATH = 700


def check_model_id(model_id: str) -> str:
    """`model_id`, if it is one: OWNER/NAME. Raises InputError."""
    if not _MODEL_ID.fullmatch(model_id) or "--" in model_id or ".." in model_id or len(model_id) > 96:
        raise InputError(
            f"{model_id!r} is not a model id of the Hugging Face Hub",
            where="model_id",
            fix="Write OWNER/NAME, for example meta-llama/Llama-3.1-8B-Instruct.",
        )
    return model_id


def check_commit(commit: str) -> str:
    """`commit`, if it is one: 40 hexadecimal digits. Raises RevisionNotFoundError."""
    if not _COMMIT.fullmatch(commit):
        raise RevisionNotFoundError(
            f"{commit!r} is not a commit",
            where="commit",
            revision=commit,
            fix="Give 40 hexadecimal digits: a branch or tag may move.",
        )
    return commit


def is_safe_path(path: str) -> bool:
    """True when `path` is valid in a URL and in an object's name, and means the same file in both.

    Characters that some programs take for a dot or a slash (`．`, `／`, `․`) count as those.
    """
    parts = [part for spelling in (path, unicodedata.normalize("NFKC", path)) for part in spelling.split("/")]
    return (
        0 < len(path.encode(errors="replace")) <= _LONGEST_PATH
        and path.isprintable()
        and len(parts) == 2 * (path.count("/") + 1)
        and not any("\\" in part for part in parts)
        and not any(part in ("", ".", "..") for part in parts)
    )
