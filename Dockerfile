# The image of the pipeline steps: Python, the pinned packages, this project. Build, push, pin:
#   docker build -t REGION-docker.pkg.dev/PROJECT/REPO/python-steps:VERSION . && docker push …
#   vertex-vllm submit … --image REGION-docker.pkg.dev/PROJECT/REPO/python-steps@sha256:…
# tests/test_dockerfile.py keeps it in step with pyproject.toml and installs the same lists into a clean environment.
FROM python:3.11-slim@sha256:e41613d42d4891e4930f79523f93f81bbc7632584ec65e36ab055f41a800b41e

WORKDIR /app
COPY constraints/image.hashes constraints/
RUN python -m pip install --no-cache-dir --no-deps --require-hashes --requirement constraints/image.hashes
COPY pyproject.toml setup.py README.md LICENSE ./
COPY vertex_vllm vertex_vllm
RUN python -m pip install --no-cache-dir --no-deps --no-build-isolation --no-index .

# The first process of every step (pipelines/compile.py): forwards SIGTERM.
RUN apt-get update && apt-get install --yes --no-install-recommends tini && rm -rf /var/lib/apt/lists/*

# A CycloneDX bill of the image's packages. The build fails if Python's packages are not exactly the listed ones.
RUN python -P -m vertex_vllm.publishing.image_bill /usr/share/vertex-vllm/image.cdx.json

RUN useradd --create-home --uid 1000 steps
# A number, because Kubernetes' runAsNonRoot cannot check a name.
USER 1000
WORKDIR /home/steps
