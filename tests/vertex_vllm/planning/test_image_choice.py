"""The image of a plan, its reason and its warnings."""

import pytest

from tests.vertex_vllm.planning.planned import LLAMA_8B, NEWEST, OTHER, PROMPT_EMBEDDINGS, SERVE, plan


@pytest.mark.parametrize(
    ("architecture", "image", "reason"),
    [
        (
            "FooForCausalLM",
            "20251205_0916_RC01",
            "newest image that Google names; FooForCausalLM is not known to the catalogue, so vLLM may refuse it or "
            "fall back to a slower generic implementation; its version is inferred, not published"
            + PROMPT_EMBEDDINGS
            + "no known image is free of them",
        ),
        (
            "BambaForCausalLM",
            "20251205_0916_RC01",
            "newest image that Google names whose vLLM has BambaForCausalLM, which had it until 0.23.0; its version is "
            "inferred, not published" + PROMPT_EMBEDDINGS + "pytorch-vllm-serve:20260413_0916_RC01 has none of these",
        ),
        (
            "AXK1ForCausalLM",
            NEWEST,
            "newest image whose vLLM has AXK1ForCausalLM (first seen in 0.17.1); Google itself names none that does, "
            "this one is known from others' files alone; its version is inferred, not published",
        ),
        (
            "HrmTextForCausalLM",
            NEWEST,
            "newest image whose vLLM may have HrmTextForCausalLM (first seen in 0.26.0); none surely does; its "
            "version is inferred, not published",
        ),
    ],
)
def test_an_image_is_chosen_by_what_is_known_of_the_architecture(architecture: str, image: str, reason: str) -> None:
    decided = plan(OTHER.reshaped(architecture=architecture))
    assert (decided.image, decided.reasons["image"]) == (f"{SERVE}:{image}", reason)


@pytest.mark.parametrize(
    ("image", "version", "reason"),
    [
        (f"{SERVE}:20250611_0916_RC01", "0.9.1", "named in the deployment"),
        (
            f"{SERVE}:latest",
            "unknown",
            "named in the deployment; its tag floats: another image may be behind it tomorrow; whether its vLLM has "
            "LlamaForCausalLM is not known to the catalogue",
        ),
        (
            "europe-docker.pkg.dev/team/images/vllm:1",
            "unknown",
            "named in the deployment, not in the catalogue: which vLLM it has is not known, so the "
            "architecture could not be checked against it, arguments only against every known version; it must run its "
            "arguments as a command, take --model=gs://… as Model Garden's images do, and answer GET /ping and POST "
            "/generate on port 8080",
        ),
    ],
)
def test_an_image_of_ones_own_is_taken_with_what_could_not_be_checked(image: str, version: str, reason: str) -> None:
    decided = plan(LLAMA_8B, image=image)
    assert (decided.image, decided.vllm_version, decided.reasons["image"]) == (image, version, reason)
