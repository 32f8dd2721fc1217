"""The mirror's fixtures, for the tests that collect its garbage."""

from tests.vertex_vllm.mirror.conftest import shards as shards
from tests.vertex_vllm.mirror.conftest import shared_model as shared_model
