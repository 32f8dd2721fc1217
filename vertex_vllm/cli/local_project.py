"""A project of the local cloud, prepared as a real one is: by bootstrap."""

import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vertex_vllm.publishing.image_sources import Sources

_ROOT = Path(__file__).resolve().parents[2]


def prepare(project: str, region: str, *, image: bool = True) -> None:
    """Creates what bootstrap creates, except the Hub token's value and the templates; what exists stays as it is.

    `image`: whether the steps' image is built, too.

    This process's Google clients must be redirected to the local cloud. Raises ServiceError.
    """
    from vertex_vllm.bootstrap.making import make, project_number
    from vertex_vllm.bootstrap.required_setup import BUILD, Settings, wanted
    from vertex_vllm.bootstrap.session import authorized_session
    from vertex_vllm.bootstrap.setup_steps import SecretValue
    from vertex_vllm.project_names import sources_bucket
    from vertex_vllm.publishing.building import ImageBuild
    from vertex_vllm.publishing.release import make_image

    session = authorized_session()
    settings = Settings(project, project_number(session, project), region)
    for step in wanted(settings):
        if not isinstance(step, SecretValue):
            make(session, step)
    if not image:
        return
    sources = _sources()
    build = ImageBuild(project, region, sources_bucket(project, region), sources.digest, settings.account(BUILD))
    for _ in make_image(build, sources.archive, lambda text: None):
        pass


@cache
def _sources() -> "Sources":
    """The sources of this checkout, read once per process.

    In an installed wheel they are a Dockerfile alone, since the local cloud's Cloud Build executes none.
    """
    from vertex_vllm.errors import InputError
    from vertex_vllm.publishing.image_sources import read_sources

    try:
        return read_sources(_ROOT)
    except InputError:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "Dockerfile").write_text("FROM scratch\n")
            return read_sources(Path(folder))
