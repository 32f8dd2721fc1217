"""Variants of a config."""

import pytest

from vertex_vllm.config.config_grid import parse_over, variants
from vertex_vllm.errors import ConfigError, InputError

CONFIG = """\
# The search team's.
name: search
model: {id: meta-llama/Llama-3.1-8B}
serving:
  machine_type: g2-standard-12  # cheap
keep_endpoint: true
"""
OVER = ("serving.machine_type=g2-standard-12,a2-highgpu-1g", "serving.max_num_seqs=64,256")


def test_every_combination_is_a_variant_with_the_config_s_own_text() -> None:
    found = variants(CONFIG, "search.yaml", parse_over(OVER))
    assert [variant.label for variant in found] == [
        "machine_type=g2-standard-12, max_num_seqs=64",
        "machine_type=g2-standard-12, max_num_seqs=256",
        "machine_type=a2-highgpu-1g, max_num_seqs=64",
        "machine_type=a2-highgpu-1g, max_num_seqs=256",
    ]
    serving = found[2].deployment.serving
    assert (serving.machine_type, serving.max_num_seqs) == ("a2-highgpu-1g", 64)
    assert "# The search team's." in found[2].text
    assert "machine_type: a2-highgpu-1g  # cheap" in found[2].text


def test_a_variant_is_tried_under_a_name_of_its_own_and_torn_down() -> None:
    (variant,) = variants(CONFIG.replace("search\n", "a" * 40 + "\n", 1), "x.yaml", parse_over(["serving.spot=true"]))
    tried = variant.ephemeral(hours=4)
    assert (tried.name, tried.keep_endpoint, tried.ttl) == ("a" * 34 + "-try-1", False, "4h")
    assert variant.deployment.keep_endpoint
    assert (tried.evaluation.experiment, variant.deployment.evaluation.experiment) == ("a" * 40, "")
    assert "spot: true" in variant.text


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ((), "nothing varies"),
        (("serving.spot",), "names no field with its values"),
        (("serving.spot=",), "names no field with its values"),
        (("serving.spot=true", "serving.spot=false"), "serving.spot is given twice"),
        (("keep_endpoint=false",), "keep_endpoint cannot vary"),
        (("google_cloud.region=us-east4",), "google_cloud.region cannot vary"),
        (("serving.spot={",), "is not a value in YAML"),
        (("serving.spot=" + "[" * 3000,), "is not a value in YAML"),
        (("serving.max_num_seqs=~",), "is empty"),
        (("serving..spot=true",), "names no field with its values"),
        (("serving.max_num_seqs=64,1:30",), "1:30 is read as 90"),
        (("serving.max_num_seqs=64,010",), "010 is read as 8"),
        (("serving.max_num_seqs=64,128,64",), "gives a value twice"),
    ],
)
def test_an_option_that_varies_nothing_is_refused(texts: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_over(texts)


def test_faults_of_all_variants_are_told_with_their_lines() -> None:
    with pytest.raises(ConfigError, match=r"search\.yaml:\d+: serving.max_num_seqs: must be at most 4096"):
        variants(CONFIG, "search.yaml", parse_over(["serving.max_num_seqs=64,9999"]))
    with pytest.raises(InputError, match="65 combinations are more than 64"):
        variants(CONFIG, "x", parse_over([f"serving.max_num_seqs={','.join(map(str, range(1, 66)))}"]))
