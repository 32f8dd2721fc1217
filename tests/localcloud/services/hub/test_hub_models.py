"""The Hub's answers about a repo, as the real client reads them."""

import hashlib
import json
import subprocess

import pytest
from hub_under_test import MODEL, safetensors, write_files
from huggingface_hub.errors import BadRequestError, EntryNotFoundError, RevisionNotFoundError

WEIGHTS = MODEL["model.safetensors"]


def test_model_info(hub):
    found = hub.api().model_info("org/open")
    assert (found.id, found.author, found.gated, found.private) == ("org/open", "org", False, False)
    assert (found.library_name, found.pipeline_tag) == ("transformers", "text-generation")
    assert found.config == {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}
    assert found.card_data.license == "apache-2.0"
    assert set(found.tags) >= {"transformers", "safetensors", "llama", "chat", "license:apache-2.0"}
    assert (found.safetensors.parameters, found.safetensors.total) == ({"BF16": 256}, 256)
    assert sorted(file.rfilename for file in found.siblings) == sorted(MODEL)
    assert {file.size for file in found.siblings} == {None}


def test_file_metadata(hub):
    found = hub.api().model_info("org/open", files_metadata=True)
    files = {file.rfilename: file for file in found.siblings}
    assert files["model.safetensors"].lfs.sha256 == hashlib.sha256(WEIGHTS).hexdigest()
    assert files["model.safetensors"].lfs.size == files["model.safetensors"].size == len(WEIGHTS)
    notes = MODEL["extra/deep/notes.txt"].encode()
    assert files["extra/deep/notes.txt"].lfs is None
    assert files["extra/deep/notes.txt"].blob_id == hashlib.sha1(b"blob %d\0" % len(notes) + notes).hexdigest()


def test_only_what_is_asked_for(hub):
    found = hub.api().model_info("org/open", expand=["sha", "gated", "safetensors"])
    assert (found.gated, found.safetensors.total, found.siblings, found.author) == (False, 256, None, None)
    assert found.sha == hub.api().model_info("org/open").sha
    with pytest.raises(BadRequestError, match="must be one of"):
        hub.api().model_info("org/open", expand=["colour"])


def test_an_answer_of_what_was_asked_for_says_the_id_once(hub, http):
    asked = http.get(f"{hub.url}/api/models/org/open", params={"expand": "gated"}).json()
    assert asked == {"_id": asked["_id"], "id": "org/open", "gated": False}
    assert http.get(f"{hub.url}/api/models/org/open").json()["modelId"] == "org/open"


def test_security_status(hub):
    assert hub.api().model_info("org/open", securityStatus=True).security_repo_status == {
        "scansDone": False,
        "filesWithIssues": [],
    }


def test_the_same_content_has_the_same_commit_and_other_content_another(hub):
    commits = []
    for number, change in enumerate(({}, {}, {"config.json": "{}"}, {"added.txt": ""})):
        hub.add(f"org/same-{number}", {**MODEL, **change})
        commits.append(hub.api().model_info(f"org/same-{number}").sha)
    assert commits[0] == commits[1] == hub.api().model_info("org/open").sha
    assert len(set(commits)) == 3


def test_the_trees_are_those_that_git_makes(hub, tmp_path):
    files = {"b.txt": "b", "b/c.txt": "c", "b-c": "d", "a/b/c/d": "e", "ü": "f"}
    hub.add("org/plain", files)
    write_files(tmp_path, files)
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    tree = subprocess.run([*git, "write-tree"], check=True, capture_output=True, text=True).stdout.strip()
    listing = subprocess.run(
        [*git, "ls-tree", "-r", "-t", "-z", tree], check=True, capture_output=True, text=True
    ).stdout
    expected = {line.split("\t")[1]: line.split()[2] for line in listing.split("\0") if line}

    found = hub.api().list_repo_tree("org/plain", recursive=True)

    assert {entry.path: getattr(entry, "blob_id", None) or entry.tree_id for entry in found} == expected


def test_trees(hub):
    api = hub.api()
    assert [entry.path for entry in api.list_repo_tree("org/open")] == [
        "README.md", "config.json", "extra", "model.safetensors", "tokenizer.json",
    ]  # fmt: skip
    assert [entry.path for entry in api.list_repo_tree("org/open", "extra", recursive=True)] == [
        "extra/deep",
        "extra/deep/notes.txt",
    ]
    assert api.list_repo_files("org/open") == sorted(MODEL)
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree("org/open", "missing"))


def test_long_trees_come_in_pages(hub, http):
    names = [f"{number:04}.txt" for number in range(1003)]
    hub.add("org/long", dict.fromkeys(names, ""))
    assert hub.api().list_repo_files("org/long") == names
    first = http.get(f"{hub.url}/api/models/org/long/tree/main")
    assert (len(first.json()), first.links["next"]["rel"]) == (1000, "next")
    expanded = list(hub.api().list_repo_tree("org/long", expand=True))
    assert [entry.path for entry in expanded] == names
    assert {entry.last_commit.oid for entry in expanded} == {hub.api().model_info("org/long").sha}


def test_paths_info(hub):
    found = hub.api().get_paths_info("org/open", ["extra", "model.safetensors", "missing"])
    assert [entry.path for entry in found] == ["extra", "model.safetensors"]
    assert found[1].lfs.sha256 == hashlib.sha256(WEIGHTS).hexdigest()


def test_revisions(hub, tmp_path):
    write_files(tmp_path / "v1", {"config.json": '{"version": 1}'})
    hub.add("org/tagged", {"config.json": '{"version": 2}'}, tags={"v1.0": tmp_path / "v1"})
    api = hub.api()
    main, tag = api.model_info("org/tagged").sha, api.model_info("org/tagged", revision="v1.0").sha
    assert main != tag
    refs = api.list_repo_refs("org/tagged", include_pull_requests=True)
    assert [(ref.name, ref.ref, ref.target_commit) for ref in refs.branches] == [("main", "refs/heads/main", main)]
    assert [(ref.name, ref.ref, ref.target_commit) for ref in refs.tags] == [("v1.0", "refs/tags/v1.0", tag)]
    for commit in (main, tag):
        assert api.model_info("org/tagged", revision=commit).sha == commit
        assert [found.commit_id for found in api.list_repo_commits("org/tagged", revision=commit)] == [commit]


@pytest.mark.parametrize("revision", ["v9", "0" * 40, "refs/pr/1", "ünknown"])
def test_a_missing_revision(hub, revision):
    with pytest.raises(RevisionNotFoundError):
        hub.api().model_info("org/open", revision=revision)
    with pytest.raises(RevisionNotFoundError):
        list(hub.api().list_repo_tree("org/open", revision=revision))
    assert not hub.api().revision_exists("org/open", revision)


def test_a_changed_directory_is_another_commit_at_once(hub):
    directory = hub.add("org/changing", {"config.json": "{}"})
    before = hub.api().model_info("org/changing").sha
    write_files(directory, {"model.safetensors": safetensors(weight=(4,))})
    after = hub.api().model_info("org/changing")
    assert after.sha != before
    assert after.safetensors.total == 4
    assert not hub.api().revision_exists("org/changing", before)


def test_safetensors_metadata(hub):
    found = hub.api().get_safetensors_metadata("org/open")
    assert found.parameter_count == {"BF16": 256}
    assert found.weight_map == {"embed": "model.safetensors", "head": "model.safetensors"}


def test_files_that_say_nothing_are_no_error(hub):
    hub.add("org/odd", {"README.md": "---\n: [\n---\n", "config.json": "[1]", "model.safetensors": b"no head"})
    found = hub.api().model_info("org/odd")
    assert (found.card_data, found.config, found.safetensors) == (None, None, None)


@pytest.mark.parametrize(
    ("architecture", "model_type", "auto_model", "task"),
    [
        ("MistralForCausalLM", "mistral", "AutoModelForCausalLM", "text-generation"),
        ("OPTLMHeadModel", "opt", "AutoModelForCausalLM", "text-generation"),
        ("MT5ForConditionalGeneration", "mt5", "AutoModelForSeq2SeqLM", "text2text-generation"),
        ("WhisperForConditionalGeneration", "whisper", "AutoModelForSpeechSeq2Seq", "automatic-speech-recognition"),
        ("Qwen2VLForConditionalGeneration", "qwen2_vl", "AutoModelForImageTextToText", "image-text-to-text"),
        ("BertModel", "bert", "AutoModel", "feature-extraction"),
        ("HubertForSequenceClassification", "hubert", "AutoModelForAudioClassification", "audio-classification"),
        ("XLNetForSequenceClassification", "xlnet", "AutoModelForSequenceClassification", "text-classification"),
        ("TapasForQuestionAnswering", "tapas", "AutoModelForTableQuestionAnswering", "table-question-answering"),
        ("SiglipModel", "siglip", "AutoModelForZeroShotImageClassification", "zero-shot-image-classification"),
        ("YolosForSegmentation", "yolos", "AutoModelForImageSegmentation", "image-segmentation"),
        ("VisionEncoderDecoderModel", "vision-encoder-decoder", "AutoModelForImageTextToText", "image-text-to-text"),
    ],
)
def test_how_a_model_is_loaded_follows_from_its_class(hub, architecture, model_type, auto_model, task):
    config = json.dumps({"architectures": [architecture], "model_type": model_type})
    hub.add(f"derived/{model_type}", {"config.json": config})
    found = hub.api().model_info(f"derived/{model_type}")

    assert (found.transformers_info.auto_model, found.transformers_info.pipeline_tag) == (auto_model, task)
    assert found.pipeline_tag == task
    assert task in found.tags


def test_what_a_tokenizer_s_file_says_is_told_as_it_stands(hub):
    tokenizer = {"bos_token": None, "eos_token": "</s>", "mask_token": {"content": "<m>"}, "model_max_length": 8}
    files = {"config.json": json.dumps({"architectures": ["OtherThing"], "model_type": "other"})}
    hub.add("derived/tokenizer", {**files, "tokenizer_config.json": json.dumps(tokenizer)})
    found = hub.api().model_info("derived/tokenizer")

    shown = {name: value for name, value in tokenizer.items() if name != "model_max_length"}
    assert found.config["tokenizer_config"] == shown
    assert found.mask_token is None
    assert found.transformers_info is None
    assert found.pipeline_tag is None


@pytest.mark.parametrize(
    ("model_type", "architecture", "tokenizer", "token"),
    [
        ("roberta", "RobertaForSequenceClassification", {}, "<mask>"),
        ("electra", "ElectraModel", {"mask_token": "[OTHER]"}, "[MASK]"),
        ("new-bert", "NewBertForMaskedLM", {"mask_token": {"content": "<m>"}}, "<m>"),
        ("new-bert", "NewBertForMaskedLM", {"mask_token": "<m>"}, "<m>"),
        ("mbart", "MBartForConditionalGeneration", {"mask_token": "<mask>"}, None),
        ("llama", "LlamaForCausalLM", {}, None),
    ],
)
def test_a_mask_token_is_the_model_type_s(hub, model_type, architecture, tokenizer, token):
    config = json.dumps({"architectures": [architecture], "model_type": model_type})
    hub.add("derived/mask", {"config.json": config, "tokenizer_config.json": json.dumps(tokenizer)})
    found = hub.api().model_info("derived/mask")
    assert (found.mask_token, found.config["tokenizer_config"]) == (token, tokenizer)


@pytest.mark.parametrize(
    ("files", "library", "task", "config"),
    [
        (
            {"model_index.json": '{"_class_name": "P", "unet": []}'},
            "diffusers",
            None,
            {"diffusers": {"_class_name": "P"}},
        ),
        ({"README.md": "---\ntags: [voice, robotics, espnet, translation]\n---\n"}, "espnet", "translation", None),
        ({"README.md": "---\ntags: [summarization]\nlibrary_name: own\n---\n"}, "own", "summarization", None),
        (
            {"adapter_config.json": '{"base_model_name_or_path": "org/base", "task_type": "CAUSAL_LM", "r": 8}'},
            "peft",
            None,
            {"peft": {"base_model_name_or_path": "org/base", "task_type": "CAUSAL_LM"}},
        ),
        ({"README.md": "---\ntags: [unheard-of]\n---\n"}, None, None, None),
    ],
)
def test_libraries_and_tasks_are_those_of_the_files_and_of_the_card_s_tags(hub, files, library, task, config):
    repo = f"derived/library-{library}"
    hub.add(repo, files)
    found = hub.api().model_info(repo)
    assert (found.library_name, found.pipeline_tag, found.config) == (library, task, config)


@pytest.mark.parametrize(("files", "told"), [({"README.md": "words"}, True), ({"config.json": "{}"}, False)])
def test_a_model_index_is_told_of_a_model_with_a_card(hub, http, files, told):
    repo = f"derived/index-{told}"
    hub.add(repo, files)
    assert ("model-index" in http.get(f"{hub.url}/api/models/{repo}").json()) is told


def test_the_card_s_task_goes_before_the_derived_one(hub):
    config = json.dumps({"architectures": ["BertModel"], "model_type": "bert"})
    hub.add("derived/card", {"config.json": config, "README.md": "---\npipeline_tag: sentence-similarity\n---\n"})
    assert hub.api().model_info("derived/card").pipeline_tag == "sentence-similarity"
