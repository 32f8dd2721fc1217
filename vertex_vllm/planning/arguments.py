"""The container's arguments: the form of Model Garden's own deployments, each one checked against the image's vLLM."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vertex_vllm.catalog import Catalog, Missing
from vertex_vllm.catalog.rows import Preset
from vertex_vllm.errors import PlanError
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.model.quantization import AWQ_FILE, FLAGGED_FILE
from vertex_vllm.planning.command_line import WHERE, Argument, parse_arguments
from vertex_vllm.planning.image_choice import ImageChoice
from vertex_vllm.planning.settings import Settings

PORT = 8080
# Arguments, not the image's command: its entry point downloads gs:// weights first and then runs its arguments
# (GoogleCloudPlatform/vertex-ai-samples#3331).
PROGRAM = ("python", "-m", "vllm.entrypoints.api_server")
REFUSED = {
    "--model": "the mirrored weights decide it",
    "--host": "Vertex AI decides it",
    "--port": "Vertex AI decides it",
    "--hf-token": "all who may see the Model could read it; the weights come from Cloud Storage and need none",
    "--api-key": "all who may see the Model could read it; Vertex AI checks who calls",
    **dict.fromkeys(("--uds", "--headless", "--grpc"), "Vertex AI asks the container over HTTP, on its port"),
    **dict.fromkeys(
        ("--ssl-keyfile", "--ssl-certfile", "--ssl-ca-certs", "--ssl-cert-reqs"),
        "Vertex AI asks the container over plain HTTP, and encrypts what leaves it",
    ),
}

# A repository of mistral-common: params.json in the place of config.json, its own tokenizer, consolidated weights.
MISTRAL_FORMATS = ("--tokenizer-mode=mistral", "--config-format=mistral", "--load-format=mistral")
# Its figures need the statistics that --disable-log-stats turns off (`validate_parsed_serve_args` of 0.26.0).
METRICS = "--enable-per-request-metrics"
MEDIA_DOMAINS = "--allowed-media-domains"
# vLLM reads these only where --quantization names the method (`get_config_filenames` of gptq.py and awq.py).
_FLAGGED_FILES = (FLAGGED_FILE, AWQ_FILE)


@dataclass(frozen=True)
class Arguments:
    args: tuple[str, ...]
    reason: str


def build_arguments(
    settings: Settings,
    tensor_parallel: int,
    facts: ModelFacts,
    image: ImageChoice,
    preset: Preset | None,
    extra: Sequence[Argument],
    catalog: Catalog,
) -> Arguments:
    """All but `--model`. Raises PlanError for an extra argument that the image lacks or that only the pipeline sets."""
    remarks = ["as Model Garden starts vLLM"]
    remarks += unknown_arguments(extra, image, catalog)
    _check_lora(extra, facts, catalog)
    optional, left_out = _optional(facts, image, preset, catalog)
    if optional:
        remarks.append(f"{' '.join(optional)} for this model")
    if left_out:
        remarks.append(f"{' '.join(left_out)} left out: {image.vllm} may not have it")
    ours = parse_arguments([*_usual(settings, tensor_parallel), *optional], catalog)
    if facts.vision and "--max-num-seqs=12" in {argument.text[0] for argument in ours}:
        remarks.append("--max-num-seqs=12: 256 images at once ran out of memory in Google's tutorial")
    ours = (*ours, *_media_domains(settings, image, catalog))
    overridden = {_positive(argument.flag) for argument in extra}
    replaced = [argument.flag for argument in ours if argument.flag in overridden]
    if replaced:
        remarks.append(f"{' '.join(replaced)} as the deployment's extra arguments say")
    if METRICS in overridden:
        overridden.add("--disable-log-stats")
    kept = [argument for argument in ours if argument.flag not in overridden]
    text = [item for argument in [*kept, *extra] for item in argument.text]
    return Arguments((*PROGRAM, "--host=0.0.0.0", f"--port={PORT}", *text), "; ".join(remarks))


def _optional(
    facts: ModelFacts, image: ImageChoice, preset: Preset | None, catalog: Catalog
) -> tuple[list[str], list[str]]:
    """Arguments that help this model, taken only where the image's vLLM surely has them; and those it may not have."""
    wanted = list(preset.args) if preset else []
    if facts.mistral_common:
        wanted += MISTRAL_FORMATS
    if facts.quantization_file in _FLAGGED_FILES:
        wanted.append(f"--quantization={facts.quantization}")
    quantization = catalog.quantizations.get(facts.quantization)
    if quantization and quantization.needs_flag:
        wanted.append(quantization.needs_flag)
    sure = [
        text
        for text in wanted
        if catalog.flag_presence(catalog.flags[text.partition("=")[0]], image.versions) == "present"
    ]
    return sure, [text for text in wanted if text not in sure]


def _media_domains(settings: Settings, image: ImageChoice, catalog: Catalog) -> tuple[Argument, ...]:
    """The hosts that pictures may come from. Raises PlanError where the image's vLLM cannot restrict them."""
    if not settings.media_domains:
        return ()
    if catalog.flag_presence(catalog.flags[MEDIA_DOMAINS], image.versions) != "present":
        raise PlanError(
            f"{image.vllm} may not have {MEDIA_DOMAINS}, so it would fetch pictures from anywhere",
            where="serving.media_domains",
            fix="Name another image in serving.image, or leave media_domains out",
        )
    return parse_arguments((MEDIA_DOMAINS, *settings.media_domains), catalog)


def _usual(settings: Settings, tensor_parallel: int) -> Iterable[str]:
    yield f"--tensor-parallel-size={tensor_parallel}"
    yield f"--max-model-len={settings.max_model_len}"
    yield f"--gpu-memory-utilization={settings.gpu_memory_utilization:g}"
    yield f"--dtype={settings.dtype}"
    yield f"--max-num-seqs={settings.max_num_seqs}"
    if settings.trust_remote_code:
        yield "--trust-remote-code"


def check_extra(extra: Iterable[Argument], image: ImageChoice, catalog: Catalog) -> None:
    """Raises PlanError for an argument that the image's vLLM lacks, or that the pipeline itself gives."""
    for argument in extra:
        if argument.flag in REFUSED:
            raise PlanError(
                f"{argument.flag} may not be given: {REFUSED[argument.flag]}", where=WHERE, fix="Leave it out"
            )
        row = catalog.find_flag(argument.flag)
        if isinstance(row, Missing):
            raise PlanError(f"vLLM has no option {argument.flag}", where=WHERE, fix=row.hint or "Leave it out")
        if catalog.flag_presence(row, image.versions) == "absent":
            raise PlanError(
                f"{image.vllm} in {image.uri.rpartition('/')[2]} does not have {argument.flag}; "
                f"it was seen in vLLM {row.first} to {row.last}",
                where=WHERE,
                fix="Leave it out, or name another image in serving.image",
            )


def unknown_arguments(extra: Iterable[Argument], image: ImageChoice, catalog: Catalog) -> list[str]:
    """A remark for each argument that the image's vLLM may or may not have."""
    rows = [(argument.flag, catalog.find_flag(argument.flag)) for argument in extra]
    return [
        f"whether {image.vllm} has {flag} is not known"
        for flag, row in rows
        if not isinstance(row, Missing) and catalog.flag_presence(row, image.versions) == "unknown"
    ]


def _check_lora(extra: Iterable[Argument], facts: ModelFacts, catalog: Catalog) -> None:
    family = catalog.family(facts.architecture)
    if family is not None and not family.lora and any(argument.flag == "--enable-lora" for argument in extra):
        raise PlanError(
            f"vLLM takes no LoRA adapters for {facts.architecture} ({family.family})",
            where=WHERE,
            fix="Leave --enable-lora out, or merge the adapter into the weights",
        )


def _positive(flag: str) -> str:
    """The option that `--no-option` negates."""
    return f"--{flag.removeprefix('--no-')}" if flag.startswith("--no-") else flag
