"""Files in, deployments or all of their faults out."""

from pathlib import Path

import pytest

from vertex_vllm.config import Deployment, load_deployment
from vertex_vllm.config.deployment import GoogleCloud, Model, Serving
from vertex_vllm.config.evaluation_section import Evaluation, Thresholds
from vertex_vllm.config.yaml_document import SIZE_LIMIT
from vertex_vllm.errors import ConfigError

HEAD = "name: llama\nmodel:\n  id: meta-llama/Llama-3.1-8B\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "configs").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def faults_of(text: str | bytes) -> list[str]:
    path = Path("configs/x.yaml")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        load_deployment(path)
    assert str(caught.value) == "\n".join(map(str, caught.value.faults))
    assert caught.value.exit_code == 2
    return [str(fault) for fault in caught.value.faults]


def test_a_file_becomes_the_deployment_that_it_describes(folder: Path) -> None:
    path = folder / "configs" / "x.yaml"
    path.write_text(
        """
name: llama-3-1-8b
model: {id: meta-llama/Llama-3.1-8B, revision: "0123456"}
hf_token_secret: projects/p/secrets/hf/versions/3
google_cloud:
  project: my-project
  region: europe-west4
  bucket: some.bucket_1
  serving_service_account: serving@my-project.iam.gserviceaccount.com
serving:
  machine_type: g2-standard-12
  accelerator_count: 1
  gpu_memory_utilization: 0.95
  extra_args: [--enable-lora, '--max-loras=2']
  max_replica_count: 3
evaluation:
  thresholds: {min_exact_match: 1, max_p95_time_to_first_token_seconds: 2.5}
keep_endpoint: false
"""
    )
    assert load_deployment(path) == Deployment(
        name="llama-3-1-8b",
        model=Model(id="meta-llama/Llama-3.1-8B", revision="0123456"),
        hf_token_secret="projects/p/secrets/hf/versions/3",
        google_cloud=GoogleCloud(
            project="my-project",
            region="europe-west4",
            bucket="some.bucket_1",
            serving_service_account="serving@my-project.iam.gserviceaccount.com",
        ),
        serving=Serving(
            machine_type="g2-standard-12",
            accelerator_count=1,
            gpu_memory_utilization=0.95,
            extra_args=["--enable-lora", "--max-loras=2"],
            max_replica_count=3,
        ),
        evaluation=Evaluation(
            thresholds=Thresholds(min_exact_match=1.0, max_p95_time_to_first_token_seconds=2.5),
        ),
        keep_endpoint=False,
    )


def test_all_faults_of_a_file_are_told_at_once_each_with_its_line(folder: Path) -> None:
    text = """name: Bad_Name
model:
  id: Llama-3.1-8B
  revison: main
serving:
  machine_typ: g2-standard-12
  accelerator_count: -1
  accelerator_count: 2
  max_model_len: "4096"
  dtype: bf16
  image: ""
  region: us-central1
  extra_args: --enable-lora
  spot: yess
evaluation:
  thresholds: {min_exact_match: 1.5, min_tokens_per_second: .inf}
keep_endpoint:
hue: 2024-01-01
"""
    assert faults_of(text) == [
        "configs/x.yaml:1: name: must be 1 to 40 lower-case letters, digits and hyphens, beginning with a letter and "
        "not ending with a hyphen",
        "configs/x.yaml:3: model.id: must be owner/name as on the Hugging Face Hub, for example "
        "meta-llama/Llama-3.1-8B-Instruct",
        "configs/x.yaml:4: model.revison: unknown field. Did you mean revision?",
        "configs/x.yaml:6: serving.machine_typ: unknown field. Did you mean machine_type?",
        "configs/x.yaml:7: serving.accelerator_count: must be at least 0",
        "configs/x.yaml:8: serving.accelerator_count: given again, after line 7. Keep one of them",
        "configs/x.yaml:9: serving.max_model_len: must be a whole number. Write 4096 without quotes",
        "configs/x.yaml:10: serving.dtype: must be one of 'auto', 'bfloat16', 'float16' or 'float32'",
        "configs/x.yaml:11: serving.image: is empty. Give it a value, or leave the line out",
        "configs/x.yaml:12: serving.region: unknown field. It belongs at google_cloud.region",
        "configs/x.yaml:13: serving.extra_args: must be a list, for example [one, two]. Write [--enable-lora]",
        "configs/x.yaml:14: serving.spot: must be true or false",
        "configs/x.yaml:16: evaluation.thresholds.min_exact_match: must be at most 1.0",
        "configs/x.yaml:16: evaluation.thresholds.min_tokens_per_second: must be a number",
        "configs/x.yaml:17: keep_endpoint: is empty. Give it a value, or leave the line out",
        "configs/x.yaml:18: hue: unknown field. Known here: name, model, google_cloud, hf_token_secret, serving, "
        "evaluation, licences, mirror, keep_endpoint, owner, ttl, deploy_on_change, schedules",
    ]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("", "1: model: is missing. The open model to serve."),
        ("model: a/b\n", "2: model: must be a section with fields of its own"),
        ("model: {revision: main}\n", "2: model.id: is missing. Hugging Face repo, owner/name."),
        ("model: {id: a/b/c}\n", "2: model.id: must be owner/name as on the Hugging Face Hub, for example"),
        ("model: {id: a/b, revision: 1e3}\n", None),
        ("model: {id: a/b, revision: 1234567}\n", "2: model.revision: must be text. Put it in quotes"),
        ("model: {id: a/b}\nserving: {max_num_seqs: 1.5}\n", "3: serving.max_num_seqs: must be a whole number"),
        ("model: {id: a/b}\nserving: {max_num_seqs: true}\n", "3: serving.max_num_seqs: must be a whole number"),
        ("model: {id: a/b}\nserving: {gpu_memory_utilization: 1}\n", "must be at most 0.99"),
        ("model: {id: a/b}\nserving: {gpu_memory_utilization: 0}\n", "must be more than 0"),
        ("model: {id: a/b}\nserving: {deployment_timeout_seconds: 7201}\n", "must be at most 7200"),
        ("model: {id: a/b}\nserving: {flex_start_hours: 169}\n", "must be at most 168"),
        (
            "model: {id: a/b}\nserving: {spot: true, flex_start_hours: 8}\n",
            "serving.flex_start_hours: cannot be set together with spot: choose one of the two",
        ),
        (
            "model: {id: a/b}\nserving:\n  min_replica_count: 3\n",
            "3: serving.max_replica_count: must be at least min_replica_count, which is 3",
        ),
        ("model: {id: a/b}\nserving:\n  extra_args:\n  - --x\n  - ''\n", "6: serving.extra_args[1]: is empty."),
        ("model: {id: a/b}\nserving:\n  extra_args:\n  - --x\n  - 8\n", "6: serving.extra_args[1]: must be text."),
        (
            "model: {id: a/b}\ngoogle_cloud: {bucket: 'gs://b'}\n",
            "3: google_cloud.bucket: must be a bucket's name without",
        ),
        (
            "model: {id: a/b}\nevaluation:\n  load:\n    profile: chat\n",
            "5: evaluation.load.profile: must be one of short, conversation, coding",
        ),
        (
            "model: {id: a/b}\nevaluation:\n  load:\n    prompt_tokens: normal(3, 4)\n",
            "5: evaluation.load.prompt_tokens: `normal(3, 4)` is not a distribution of lengths. Write fixed(TOKENS)",
        ),
        (
            "model: {id: a/b}\nevaluation:\n  load:\n    trace: requests.jsonl\n",
            "5: evaluation.load.trace: must be an object in Cloud Storage, gs://BUCKET/OBJECT",
        ),
        (
            "model: {id: a/b}\nevaluation:\n  load:\n    find_highest_rate: true\n",
            "5: evaluation.load.find_highest_rate: needs a limit in slo, time_to_first_token_seconds for example",
        ),
        (
            "model: {id: a/b}\nevaluation:\n  load:\n    requests: 99\n"
            "    slo: {end_to_end_seconds: 9, percentile: 99}\n",
            "5: evaluation.load.requests: must be at least 368, or 0: fewer do not bound the 99th percentile",
        ),
        (
            "model: {id: a/b}\nevaluation:\n  load: {requests: 71}\n  thresholds:\n"
            "    max_p95_time_to_first_token_seconds: 2\n",
            "5: evaluation.thresholds: load.requests must be at least 72, or 0: fewer do not bound the 95th ",
        ),
        ("model: {id: a/b}\nkeep_endpoint: 'no'\n", "3: keep_endpoint: must be true or false"),
        (
            "model: {id: a/b}\nserving: {max_model_len: 1:30}\n",
            "3: serving.max_model_len: 1:30 is read as 90. Write 90, or put it in quotes if it is meant as text",
        ),
        ("model: {id: a/b}\nserving: {max_model_len: 010000}\n", "010000 is read as 4096. Write 4096, or put it in "),
        ("model: {id: a/b}\nserving: {max_model_len: 0x1000}\n", "0x1000 is read as 4096. Write 4096, or put it in "),
        ("model: {id: a/b}\nserving: {gpu_memory_utilization: 0:0.9}\n", "0:0.9 is read as 0.9. Write 0.9, or put "),
        (
            "model: {id: a/b}\nserving: {machine_type: g2-standart-12}\n",
            "g2-standart-12 is not in the catalogue of machines. Did you mean g2-st",
        ),
        (
            "model: {id: a/b}\nserving: {machine_type: ct6e-standard-1t}\n",
            "3: serving.machine_type: ct6e-standard-1t has TPUs, which nothing here plans or deploys to. Choose a ",
        ),
        (
            "model: {id: a/b}\nserving:\n  fallbacks:\n  - us-east4/g2-standard-12\n  - us-west2/g2-standard-12\n",
            "6: serving.fallbacks[1]: no g2-standard-12 in us-west2. It is in: asia-east1, ",
        ),
        (
            "model: {id: a/b}\nserving:\n  fallbacks: [g2-standard-12]\n",
            "4: serving.fallbacks[0]: must be REGION/MACHINE_TYPE, for example us-east4/g2-standard-12",
        ),
        (
            "model: {id: a/b}\nserving: {machine_type: a3-highgpu-8g}\ngoogle_cloud:\n  region: us-south1\n",
            "5: google_cloud.region: no a3-highgpu-8g in us-south1. It is in: asia-east1, ",
        ),
        (
            "model: {id: a/b}\ngoogle_cloud:\n  region: us-moon1\n",
            "4: google_cloud.region: no machine with accelerators in us-moon1. Known: asia-east1, ",
        ),
        (
            "model: {id: a/b}\nserving: {accelerator_type: NVIDIA_A100_80GB}\ngoogle_cloud:\n  region: us-west1\n",
            "5: google_cloud.region: no NVIDIA_A100_80GB in us-west1. It is in: asia-southeast1, europe-west4, "
            "us-central1, us-east4, us-east5",
        ),
        (
            "model: {id: a/b}\nserving:\n  machine_type: g2-standard-12\n  accelerator_type: NVIDIA_TESLA_A100\n",
            "5: serving.accelerator_type: g2-standard-12 has NVIDIA_L4, not NVIDIA_TESLA_A100. Leave this line out",
        ),
        (
            "model: {id: a/b}\nserving:\n  machine_type: g2-standard-96\n  accelerator_count: 4\n",
            "5: serving.accelerator_count: g2-standard-96 has 8, not 4. Leave this line out",
        ),
        (
            "model: {id: a/b}\nserving: {accelerator_type: NVIDIA_L5}\n",
            "3: serving.accelerator_type: NVIDIA_L5 is not in the catalogue of accelerators. Did you mean NVIDIA_L4?",
        ),
        (
            "model: {id: meta-Llama/Llama-3.1-8B}\n",
            "2: model.id: meta-Llama/Llama-3.1-8B is written meta-llama/Llama-3.1-8B on the Hub",
        ),
    ],
)
def test_one_fault_is_one_line(folder: Path, body: str, fault: str | None) -> None:
    text = "name: llama\n" + body
    if fault is None:
        (folder / "configs" / "x.yaml").write_text(text)
        load_deployment(folder / "configs" / "x.yaml")
        return
    (line,) = faults_of(text)
    assert line.startswith("configs/x.yaml:")
    assert fault in line


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "1: must be a mapping of fields, beginning with name:"),
        ("- a\n", "1: must be a mapping of fields, beginning with name:"),
        ("name: [a\n", "2: no valid YAML: expected ',' or ']', but got '<stream end>'"),
        ("name: a\n\tb: c\n", "2: no valid YAML: found character '\\t' that cannot start any token"),
        ("name: a\n---\nname: b\n", "2: a second document. Put each deployment into a file of its own"),
        (b"name: \xff\n", "1: is not UTF-8 text: byte 6 cannot be read. Save it as UTF-8"),
        ("name: a\n".encode("utf-16"), "1: is in UTF-16, not in UTF-8. Save it as UTF-8"),
        ("name: a\n".encode("utf-16-le"), "1: is in UTF-16, not in UTF-8. Save it as UTF-8"),
        (b"name: a\x00b\n", "1: no valid YAML: unacceptable character"),
        ("x: " + "a" * SIZE_LIMIT, "1: larger than 64 KB, which no config is"),
        ("x: " + "[" * 50_000, "1: nested more than 8 deep, which no config is"),
        (
            "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
            "2: alias *a: anchors and aliases are not allowed. Write the value out",
        ),
    ],
)
def test_what_is_no_plain_yaml_document_is_refused_before_it_is_built(
    folder: Path, text: str | bytes, fault: str
) -> None:
    (line,) = faults_of(text)
    assert line.startswith(f"configs/x.yaml:{fault}")


def test_a_tag_runs_nothing(folder: Path) -> None:
    text = HEAD + "hf_token_secret: !!python/object/apply:os.mkdir [ran]\ngoogle_cloud: !!python/name:os.system x\n"
    assert faults_of(text) == [
        "configs/x.yaml:4: hf_token_secret: must be text. Put it in quotes",
        "configs/x.yaml:5: google_cloud: is read as a python/name:os.system. Put it in quotes if it is meant as text",
    ]
    assert not (folder / "ran").exists()


def test_a_token_in_place_of_its_secret_is_refused_and_not_repeated(folder: Path) -> None:
    token = "hf_" + "a1B2" * 9
    (line,) = faults_of(HEAD + f"hf_token_secret: {token}\n")
    assert line.startswith("configs/x.yaml:4: hf_token_secret: looks like a token itself. Put it into Secret Manager")
    assert "a1B2" not in line


@pytest.mark.parametrize(("path", "fault"), [("absent.yaml", "no such file"), ("configs", "cannot be read: Is a dir")])
def test_a_file_that_is_none(folder: Path, path: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_deployment(path)
    assert str(caught.value).startswith(f"{path}:1: {fault}")
