"""The requests of `vertex-vllm bootstrap --dry-run`, as JSON values."""

from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vertex_vllm.bootstrap.required_setup import Settings
    from vertex_vllm.bootstrap.setup_steps import Step
    from vertex_vllm.publishing.release import Release


def request_of(step: "Step") -> dict[str, object]:
    """The grant or the resource, and the requests that read and write it."""
    from vertex_vllm.bootstrap.setup_steps import Grant, ServiceAgent

    if isinstance(step, Grant):
        change: dict[str, object] = {"role": step.role, "member": step.member}
        if step.condition:
            change["condition"] = dict(step.condition)
        return {"grant": change, "on": step.on.resource, "read": asdict(step.on.read), "write": asdict(step.on.write)}
    if isinstance(step, ServiceAgent):
        return {step.kind: step.name, "create": asdict(step.create)}
    return {step.kind: step.name, "look": asdict(step.look), "create": asdict(step.create)}


def withdrawn_requests(settings: "Settings") -> list[dict[str, object]]:
    """The requests that revoke grants of earlier bootstraps, where they exist."""
    from vertex_vllm.bootstrap.withdrawn_grants import withdrawn

    return [
        {"revoke_where_it_exists": {"role": grant.role, "member": grant.member}, "on": grant.on.resource}
        for grant in withdrawn(settings)
    ]


def requests_of_release(release: "Release | None") -> list[dict[str, object]]:
    """The build of the image and the uploads of the templates; empty without a release."""
    from google.cloud.devtools.cloudbuild_v1.types import CreateBuildRequest

    from vertex_vllm.publishing.building import create_build_request

    if release is None:
        return []
    build, destination = release.build, release.destination
    request = CreateBuildRequest.to_dict(
        create_build_request(build), use_integers_for_enums=False, always_print_fields_with_no_presence=False
    )
    image = {"image": build.tagged, "upload": f"gs://{build.bucket}/{build.object_name}", "create_build": request}
    # A spec names the image by the digest that it has once it is built.
    templates = [
        {
            "template": name,
            "upload": f"gs://{destination.bucket}/{destination.object_name(name)}",
            "to": destination.host,
        }
        for name in release.pipelines
    ]
    return [image, *templates]
