"""What steps of chaos runs are forked with: all that they import, and what each would read and work out anew.

A fork server imports it (`localcloud.daemon.up(…, warm_modules=["tests.chaos.prelude"])`). It opens no connection.
"""

import importlib
import pkgutil

import vertex_vllm
from vertex_vllm.catalog import load_catalog

_PACKAGES = (
    "google.auth.compute_engine",
    "google.auth.transport.grpc",
    "google.auth.transport.requests",
    "google.cloud.aiplatform_v1",
    "google.cloud.aiplatform_v1beta1",
    "google.cloud.cloudquotas_v1",
    "google.cloud.secretmanager",
    "google.cloud.storage",
    "google.oauth2.credentials",
    "google.oauth2.reauth",
    "google_cloud_pipeline_components.types.artifact_types",
    "google_crc32c",
    "grpc._interceptor",
    "httpx2",
    "huggingface_hub.hf_api",
    "jinja2",
)
_NOT_OF_STEPS = ("vertex_vllm.cli", "vertex_vllm.bootstrap", "vertex_vllm.publishing", "vertex_vllm.__main__")

for _name in _PACKAGES:
    importlib.import_module(_name)
for _module in pkgutil.walk_packages(vertex_vllm.__path__, "vertex_vllm."):
    if not _module.name.startswith(_NOT_OF_STEPS):
        importlib.import_module(_module.name)
load_catalog()


def _draw() -> None:
    """matplotlib looks for its fonts, and reads them, with the first figure."""
    import io

    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.fonttype": "none", "font.family": "sans-serif"}):
        figure = Figure(layout="constrained")
        figure.add_subplot().set(title="title", xlabel="0.0 0.2 0.4 0.6 0.8 1.0", ylabel="label")
        figure.savefig(io.StringIO(), format="svg")


_draw()
