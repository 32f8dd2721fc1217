"""The JSON schema of `configs/*.yaml`, for editors: `python -m vertex_vllm.config.schema FILE` writes it."""

import json
import sys
from pathlib import Path

from vertex_vllm.config.deployment import Deployment


def schema_text() -> str:
    """The text of configs/deployment.schema.json, byte for byte."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Deployment.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main(paths: list[str]) -> None:
    for path in paths:
        Path(path).write_text(schema_text(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
