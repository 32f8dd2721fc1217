"""The project and region that a command looks at, where no config names them."""

import os
import re
from collections.abc import Callable
from typing import Any

import click

from vertex_vllm.errors import InputError
from vertex_vllm.google.quota_project import charge
from vertex_vllm.google.regional_hosts import require_region


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --project and --region."""
    text = "Region to look in; default: GOOGLE_CLOUD_REGION, else us-central1."
    region = click.option("--region", default="us-central1", envvar="GOOGLE_CLOUD_REGION", help=text, callback=_region)
    project = click.option("--project", help="Project id; default: GOOGLE_CLOUD_PROJECT.")
    return project(region(command))


def _region(context: click.Context, option: click.Parameter, region: str) -> str:
    return require_region(region, "--region")


def regions_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --region, which may be repeated; `named_regions` reads it."""
    text = "Region to look in; may be repeated. Default: all that the catalogue knows."
    return click.option("--region", "regions", multiple=True, help=text)(command)


def named_regions(given: tuple[str, ...]) -> tuple[str, ...]:
    """Raises InputError for an unknown region: a list of nothing there would pass for a good answer."""
    from vertex_vllm.catalog import load_catalog

    known = load_catalog().regions
    for region in given:
        if region not in known:
            raise InputError(f"unknown region {region}", where="--region", fix=f"Known: {', '.join(known)}")
    return given or known


def looked_at(project: str, *regions: str) -> str:
    """The place that a list is about, in words; no regions: all that the catalogue knows."""
    where = f"region{'s' if len(regions) > 1 else ''} {', '.join(regions)}" if regions else "all regions"
    return f"Looked at project {project}, {where}"


def check_place(project: str, region: str) -> None:
    """Checks project and region before a command creates anything, so that no service refuses half of it.

    Raises InputError for a text that is not a project's id, and for a region that the catalogue does not know.
    """
    from vertex_vllm.config.shapes import MEANING, PROJECT

    if not project or not re.fullmatch(PROJECT, project):
        raise InputError(f"`{project}` is not a project. It must be {MEANING[PROJECT]}", where="--project")
    named_regions((region,))
    charge(project)


def require_credentials(project: str) -> None:
    """Raises ServiceError without credentials, once instead of once for each region."""
    from vertex_vllm.google.error_boundary import google_errors
    from vertex_vllm.google.shared_clients import default_credentials

    with google_errors("Google Cloud", f"project {project}"):
        default_credentials()


def named_project(given: str | None) -> str:
    """Raises InputError where no project is named."""
    project = given or os.environ.get("GOOGLE_CLOUD_PROJECT", "")
    if not project:
        raise InputError("no project", fix="Name one with --project, or in GOOGLE_CLOUD_PROJECT")
    charge(project)
    return project
