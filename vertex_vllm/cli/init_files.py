"""The files of a new repository of configs, as texts by path."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from vertex_vllm import __version__
from vertex_vllm.cli.money import monthly

if TYPE_CHECKING:
    from vertex_vllm.planning.plan import ServingPlan

_WORKFLOW = Path(__file__).parent / "starter" / "configs_workflow.yaml"
WORKFLOW_PATH = ".github/workflows/deployments.yaml"


def deployment_name(model_id: str) -> str:
    """The name of a model's deployment: `llama-3-1-8b-instruct` of `meta-llama/Llama-3.1-8B-Instruct`."""
    name = re.sub(r"[^a-z0-9]+", "-", model_id.partition("/")[2].lower()).strip("-")
    return (name if name[:1].isalpha() else f"m-{name}")[:40].rstrip("-")


def config_text(plan: "ServingPlan", secret: str) -> str:
    """A config with the plan as comments: a commented field is the planner's choice.

    `secret`: id of the secret with the Hub token; empty for a model that anybody may read.
    """
    token = f"hf_token_secret: {secret}  # gated: accept the licence on the Hub; the secret holds a read token\n"
    return f"""\
# yaml-language-server: $schema=deployment.schema.json
# Planned with vertex-vllm {__version__}: {_rented(plan)},
# context {plan.max_model_len} tokens. `vertex-vllm plan` shows the plan of today, with the reason for each choice.
name: {plan.deployment}
model:
  id: {plan.model_id}
  # revision: main  # or a tag, or a commit, which fixes the weights
{token if secret else ""}google_cloud:
  region: {plan.region}
# serving:  # the planner's choices; uncomment one to fix it
#   machine_type: {plan.machine_type}
#   max_model_len: {plan.max_model_len}
#   min_replica_count: 1
#   max_replica_count: 1
# evaluation:
#   thresholds:  # a run that misses one fails and is torn down; take the figures of the first report
#     min_exact_match: 0.5
#     max_p95_time_to_first_token_seconds: 10.0
# ttl: 8h  # a sweep removes the endpoint after that time
# owner: my-team
deploy_on_change: false  # true: CI deploys this file after each merge that changes it
"""


def workflow_text() -> str:
    """GitHub's workflow: plans on pull requests, deployments after merges."""
    return _WORKFLOW.read_text(encoding="utf-8")


def readme_text(configs: list[str], project: str, region: str) -> str:
    """Commands for this repository, in the order of a first deployment."""
    first = configs[0]
    where = f"--project {project}"
    return f"""\
# Deployments

One file in `configs/` describes one open model on one Vertex AI endpoint. `vertex-vllm` plans, deploys, tests and
removes it.

```sh
vertex-vllm validate configs/*.yaml
vertex-vllm plan {first}
vertex-vllm bootstrap {where} --region {region}
vertex-vllm submit {first} {where} --wait
vertex-vllm ask {Path(first).stem} "What is the capital of France?" {where}
```

`bootstrap` is needed once for a project. `vertex-vllm doctor {first} {where}` checks everything
that a run needs.

A pull request that changes a config gets its plan as a comment. After the merge, configs with `deploy_on_change: true`
are deployed. `{WORKFLOW_PATH}` names the repository variables that it reads.

`vertex-vllm teardown DEPLOYMENT --yes {where}` removes a deployment; `vertex-vllm inventory {where}` lists
what still exists and costs.
"""


def _rented(plan: "ServingPlan") -> str:
    from vertex_vllm.catalog.prices import HourlyPrice

    machine = f"{plan.machine_type}, {plan.accelerator_count} × {plan.accelerator_type}, in {plan.region}"
    if plan.usd_per_hour is None:
        return f"{machine}, price unknown"
    price = HourlyPrice(plan.usd_per_hour, plan.usd_per_hour)
    return f"{machine}, {price} USD/h ({monthly(price)} USD a month)"
