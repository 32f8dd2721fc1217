"""The image that every step runs in."""

# A name that no registry can have: hosts below `.invalid` never resolve (RFC 6761, 6.4). `submit`, `schedule apply`,
# `sweep --schedule` and `ci apply` put the image in that `vertex-vllm bootstrap` built in the project, by digest.
# kfp.local looks for "python" in the name.
IMAGE = "image-not-pinned.invalid/python-steps"
