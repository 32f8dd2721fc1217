"""Which files are mirrored, for repositories as they are published."""

import pytest

from vertex_vllm.errors import PlanError
from vertex_vllm.hub.file_listing import HubFile
from vertex_vllm.mirror.needed_files import Selection, left_out_of_index, select_files

INDEX = "model.safetensors.index.json"
TOKENIZER = ["special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"]
LICENCE = ["LICENSE", "LICENSE.txt", "USE_POLICY.md"]
PAPERS = [".gitattributes", "README.md"]
ORIGINAL = ["original/consolidated.00.pth", "original/params.json", "original/tokenizer.model"]


def shards(count: int, stem: str = "model", suffix: str = "safetensors") -> list[str]:
    return [f"{stem}-{number:05}-of-{count:05}.{suffix}" for number in range(1, count + 1)]


# repository, what its index names, what is mirrored, what is not
REPOSITORIES = {
    "Llama-3.1-8B-Instruct": (
        shards(4),
        ["config.json", "generation_config.json", INDEX, *shards(4), *TOKENIZER, *LICENCE],
        [*PAPERS, *ORIGINAL],
    ),
    "Llama-3.1-70B-Instruct": (
        shards(30),
        ["config.json", "generation_config.json", INDEX, *shards(30), *TOKENIZER, *LICENCE],
        [*PAPERS, *(f"original/consolidated.{part:02}.pth" for part in range(8)), *ORIGINAL[1:]],
    ),
    "Llama-3.1-405B-Instruct, the originals in two ways": (
        shards(191),
        ["config.json", "generation_config.json", INDEX, *shards(191), *TOKENIZER],
        [
            *PAPERS,
            *(f"original/mp{ways}/consolidated.{part:02}.pth" for ways in (8, 16) for part in range(ways)),
            *(f"original/mp{ways}/{name}" for ways in (8, 16) for name in ("params.json", "tokenizer.model")),
        ],
    ),
    "Llama-3.2-3B-Instruct": (
        shards(2),
        ["config.json", "generation_config.json", INDEX, *shards(2), *TOKENIZER, *LICENCE],
        [*PAPERS, *ORIGINAL],
    ),
    "Llama-3.2-1B, one file without an index": (
        [],
        ["config.json", "generation_config.json", "model.safetensors", *TOKENIZER, *LICENCE],
        [*PAPERS, *ORIGINAL],
    ),
    "Llama-3.2-11B-Vision-Instruct": (
        shards(5),
        ["chat_template.json", "config.json", INDEX, *shards(5), "preprocessor_config.json", *TOKENIZER, *LICENCE],
        [*PAPERS, *ORIGINAL],
    ),
    "Llama-3.2-90B-Vision-Instruct": (
        shards(37),
        [
            "chat_template.json",
            "config.json",
            "generation_config.json",
            INDEX,
            *shards(37),
            "preprocessor_config.json",
            *TOKENIZER,
            *LICENCE,
        ],
        [*PAPERS, *(f"original/consolidated.{part:02}.pth" for part in range(8)), *ORIGINAL[1:]],
    ),
    "Qwen2.5-7B-Instruct": (
        shards(4),
        [
            "config.json",
            "generation_config.json",
            "merges.txt",
            INDEX,
            *shards(4),
            "tokenizer.json",
            "tokenizer_config.json",
            "vocab.json",
            "LICENSE",
        ],
        [".gitattributes", "README.md"],
    ),
    "Mistral-7B-Instruct-v0.3, weights twice": (
        shards(3),
        ["config.json", INDEX, *shards(3), "params.json", "tokenizer.model", "tokenizer.model.v3", *TOKENIZER],
        ["README.md", "consolidated.safetensors"],
    ),
    "Mistral, consolidated only": (
        [],
        ["config.json", "consolidated.safetensors", "params.json", "tekken.json"],
        ["README.md"],
    ),
    "Qwen2-VL": (
        shards(5),
        [
            "chat_template.json",
            "config.json",
            "merges.txt",
            INDEX,
            *shards(5),
            "preprocessor_config.json",
            "vocab.json",
        ],
        ["README.md", "assets/logo.png", "demo.jpg"],
    ),
    "a GPTQ repository": (
        [],
        ["config.json", "model.safetensors", "quantize_config.json", *TOKENIZER],
        ["README.md"],
    ),
    "an AWQ repository with code and named templates": (
        shards(2),
        [
            "additional_chat_templates/rag.jinja",
            "chat_template.jinja",
            "config.json",
            INDEX,
            *shards(2),
        ],
        ["README.md", "examples/run.py", "modeling_x.py", "model-Q4_K_M.gguf", "onnx/model.onnx"],
    ),
    "safetensors beside pickles": (
        shards(2),
        ["config.json", INDEX, *shards(2), "vocab.txt"],
        [*shards(2, "pytorch_model", "bin"), "flax_model.msgpack", "pytorch_model.bin.index.json", "tf_model.h5"],
    ),
    "only pickles": (
        shards(2, "pytorch_model", "bin"),
        ["config.json", "merges.txt", "pytorch_model.bin.index.json", *shards(2, "pytorch_model", "bin")],
        ["README.md", "optimizer.pt", "trainer_state.json", "training_args.bin"],
    ),
}


def listing(paths: list[str]) -> list[HubFile]:
    return [HubFile(path, 1, "", "b" * 40) for path in sorted(paths)]


@pytest.mark.parametrize("name", REPOSITORIES)
def test_the_right_files_only(name: str) -> None:
    indexed, wanted, unwanted = REPOSITORIES[name]
    assert [file.path for file in select_files(listing(wanted + unwanted), indexed)] == sorted(wanted)


@pytest.mark.parametrize(
    ("include", "exclude", "wanted"),
    [
        (("*.json",), (), ["config.json", INDEX, "original/params.json", "tokenizer.json"]),
        (("original/*",), (), ["original/params.json"]),
        ((), ("tokenizer*", "*-00002-*"), ["config.json", shards(2)[0], INDEX]),
        (("*",), ("*.safetensors", "original/*"), ["README.md", "config.json", INDEX, "tokenizer.json"]),
    ],
)
def test_patterns_override_what_is_chosen(
    include: tuple[str, ...], exclude: tuple[str, ...], wanted: list[str]
) -> None:
    files = listing(["README.md", "config.json", INDEX, "original/params.json", *shards(2), "tokenizer.json"])
    chosen = select_files(files, shards(2), Selection(include, exclude))
    assert [file.path for file in chosen] == sorted(wanted)


def test_what_the_patterns_take_from_an_index_is_known() -> None:
    files = listing(["config.json", INDEX, *shards(2)])
    chosen = select_files(files, shards(2), Selection(exclude=("*-00002-*",)))
    assert left_out_of_index(chosen, files, shards(2)) == [shards(2)[1]]
    assert left_out_of_index(select_files(files, shards(2)), files, shards(2)) == []
    assert left_out_of_index(select_files(files, shards(2), Selection(("*.json",))), files, shards(2)) == []


def test_code_is_copied_on_consent_alone() -> None:
    files = listing(["config.json", "examples/run.py", "model.safetensors", "modeling_x.py"])
    chosen = select_files(files, [], Selection(code=True))
    assert [file.path for file in chosen] == ["config.json", "model.safetensors", "modeling_x.py"]


def test_patterns_that_match_nothing_are_refused() -> None:
    with pytest.raises(PlanError, match="no file of the repository is selected"):
        select_files(listing(["config.json", "model.safetensors"]), [], Selection(("*.gguf",)))


@pytest.mark.parametrize(
    "paths", [["config.json"], ["config.json", "model.gguf"], ["config.json", "training_args.bin"]]
)
def test_a_repository_without_weights_is_refused(paths: list[str]) -> None:
    with pytest.raises(PlanError, match="no weights"):
        select_files(listing(paths), [])
