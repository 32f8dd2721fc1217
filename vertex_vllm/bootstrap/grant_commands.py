"""The gcloud command that makes one grant."""

import shlex

from vertex_vllm.bootstrap.setup_steps import Grant


def grant_command(project: str, grant: Grant) -> str:
    """One line for a shell. The place of the grant is read from the name that `places` gives it."""
    kind, _, name = grant.on.resource.rpartition(" ")
    match kind:
        case "project":
            command = ["projects", "add-iam-policy-binding", name]
        case "":
            command = ["storage", "buckets", "add-iam-policy-binding", name]
        case "secret":
            command = ["secrets", "add-iam-policy-binding", name, f"--project={project}"]
        case "repository":
            region, _, repository = name.partition("/")
            command = ["artifacts", "repositories", "add-iam-policy-binding", repository]
            command += [f"--location={region}", f"--project={project}"]
        case "key":
            _, owner, _, location, _, ring, _, key = name.split("/")
            command = ["kms", "keys", "add-iam-policy-binding", key]
            command += [f"--keyring={ring}", f"--location={location}", f"--project={owner}"]
        case _:
            command = ["iam", "service-accounts", "add-iam-policy-binding", name, f"--project={project}"]
    # In a policy that has a condition, gcloud asks for one unless `--condition=None` is given.
    command += [f"--member={grant.member}", f"--role={grant.role}", _condition(grant)]
    return f"gcloud {shlex.join(command)}"


def _condition(grant: Grant) -> str:
    if not grant.condition:
        return "--condition=None"
    # Another delimiter than the comma, as `gcloud topic escaping` has it: an expression may hold commas.
    return f"--condition=^;^title={grant.condition['title']};expression={grant.condition['expression']}"
