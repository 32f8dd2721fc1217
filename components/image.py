"""The image that every step runs in."""

# Built from the Dockerfile at the top of the tree. kfp.local looks for "python" in the name. `make compile IMAGE=…`
# (or `python -m pipelines.compile --image …`) writes specs that pin the image a team has pushed, by digest.
IMAGE = "us-central1-docker.pkg.dev/vertex-vllm/components/python-steps:0.1.0"
