from tests.vertex_vllm.evaluation.evaluated_endpoint import served

__all__ = ["served"]  # A fixture, found here by the tests of this folder.
