"""The files of a repo in large file storage: those of its .gitattributes, and every large file."""

import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path

# The Hub refuses larger files in git itself ("files larger than 10 MiB").
_LARGEST_IN_GIT = 10 << 20

# The .gitattributes that the Hub puts into a new model repo, and *.gguf.
_DEFAULT_PATTERNS = (
    *("*.7z", "*.arrow", "*.bin", "*.bz2", "*.ckpt", "*.ftz", "*.gguf", "*.gz", "*.h5", "*.joblib", "*.lfs.*"),
    *("*.mlmodel", "*.model", "*.msgpack", "*.npy", "*.npz", "*.onnx", "*.ot", "*.parquet", "*.pb", "*.pickle"),
    *("*.pkl", "*.pt", "*.pth", "*.rar", "*.safetensors", "saved_model/**/*", "*.tar.*", "*.tar", "*.tflite"),
    *("*.tgz", "*.wasm", "*.xz", "*.zip", "*.zst", "*tfevents*"),
)


@dataclass(frozen=True)
class LfsRule:
    """Patterns of file names, and of paths."""

    names: re.Pattern[str]
    paths: re.Pattern[str]

    def applies(self, path: str, size: int) -> bool:
        """`size` in bytes."""
        by_name = self.names.match(path.rpartition("/")[2])
        return size > _LARGEST_IN_GIT or bool(by_name or self.paths.match(path))


def lfs_rule(root: Path) -> LfsRule:
    """By the repo's .gitattributes, or the Hub's own for a repo without one."""
    patterns = _patterns(root / ".gitattributes")
    # A pattern without a slash matches the file's name; in one with a slash, `**` matches any folders or none.
    names = [pattern for pattern in patterns if "/" not in pattern.strip("/")]
    paths = [pattern.lstrip("/").replace("/**/", "/*") for pattern in patterns if pattern not in names]
    return LfsRule(_any_of(names), _any_of(paths))


def _patterns(attributes: Path) -> tuple[str, ...]:
    if not attributes.is_file():
        return _DEFAULT_PATTERNS
    lines = [line.split() for line in attributes.read_text(errors="replace").splitlines()]
    return tuple(words[0] for words in lines if words and not words[0].startswith("#") and "filter=lfs" in words[1:])


def _any_of(patterns: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(fnmatch.translate(pattern) for pattern in patterns) or r"(?!)")
