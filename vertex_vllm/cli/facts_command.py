"""`vertex-vllm facts MODEL`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vertex_vllm.cli.terminal import say, say_json

if TYPE_CHECKING:
    from vertex_vllm.model.facts import ModelFacts


@click.command()
@click.argument("model")
@click.option("--revision", default="main", show_default=True, help="Branch, tag or commit of a repo on the Hub.")
@click.option("--hf-token-secret", default="", help="Secret Manager secret with the Hub token; default: anonymous.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="Write the facts to this file instead, for plan --facts."
)
@click.option("--project", help="Project of secret and bucket; default: GOOGLE_CLOUD_PROJECT.")
def facts(model: str, revision: str, hf_token_secret: str, output: Path | None, project: str | None) -> None:
    """Print the facts of a model that planning needs, read without downloading a weight.

    MODEL is OWNER/NAME on the Hugging Face Hub, or gs://BUCKET/PREFIX with its files.

    Example: vertex-vllm facts HuggingFaceTB/SmolLM2-135M-Instruct --output smollm2.json
    """
    from vertex_vllm.cli.place import named_project
    from vertex_vllm.hub import hub_token
    from vertex_vllm.hub.access import check_access
    from vertex_vllm.hub.repository_facts import read_facts
    from vertex_vllm.mirror.mirrored_facts import read_mirrored_facts
    from vertex_vllm.project_names import secret_version_name

    if model.startswith("gs://"):
        found = read_mirrored_facts(model, named_project(project))
    else:
        secret = secret_version_name(hf_token_secret, named_project(project)) if hf_token_secret else ""
        token = hub_token(secret)
        found = read_facts(model, check_access(model, revision, token).commit, token)
    if output is None:
        say_json(found.to_json())
    else:
        output.write_text(found.to_json(), encoding="utf-8")
        say(f"{output}: facts of {found.model_id} from {found.source}", err=True)


def read_file(path: Path, model_id: str) -> "ModelFacts":
    """Facts as `facts --output` wrote them, of the model that is asked for. Raises InputError for anything else."""
    from vertex_vllm.encoded_text import utf8_text
    from vertex_vllm.errors import InputError
    from vertex_vllm.model.facts import ModelFacts

    try:
        found = ModelFacts.from_json(utf8_text(path.read_bytes()))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        fix = "Write it with `vertex-vllm facts MODEL --output FILE`"
        raise InputError(f"is not a file of facts: {error}", where=str(path), fix=fix) from error
    if found.model_id not in (model_id, found.source):
        raise InputError(
            f"holds facts of {found.model_id}, the config is for {model_id}",
            where=str(path),
            fix="Give the facts of the config's model",
        )
    return found
