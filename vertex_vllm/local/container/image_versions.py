"""The vLLM version inside an image of Model Garden: `image_versions.yaml`."""

import re
from datetime import date, datetime
from pathlib import Path

import yaml

_VERSIONS = Path(__file__).with_name("image_versions.yaml")
_TAG_DATE = re.compile(r":(\d{8})_")


def vllm_version(image_uri: str) -> str:
    """For example `0.9.2`; the newest known version for an image without a date in its tag, and without an image."""
    rows = yaml.safe_load(_VERSIONS.read_text())["images"]
    tag = _TAG_DATE.search(image_uri)
    built = datetime.strptime(tag[1], "%Y%m%d").date() if tag else date.max
    versions = [str(row["vllm"]) for row in rows if row["since"] <= built]
    return versions[-1] if versions else str(rows[0]["vllm"])
