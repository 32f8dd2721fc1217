"""Runs in the serving runtime: `recipe.py GGUF TEXT_OUT IMAGE_OUT` makes both repositories from one GGUF file.

The output is the same, byte for byte, whenever it is made with the same versions of torch and transformers.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GgufConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3Processor,
)
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

# Two files and an index, as any larger model has them.
_LARGEST_FILE = "200MB"
# `max_position_embeddings` of SmolLM2; the GGUF file does not say it of the tokenizer.
_CONTEXT = 8192

_IMAGE_TOKEN = "<image>"
_TILE = 56  # pixels; with patches of 14 and every 2 × 2 of them in one token, 4 tokens a tile
_PATCH = 14
_SCALE = 2
# Idefics3 cuts an image into at most 6 × 6 tiles, each announced by a token of its own.
_TILE_TOKENS = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
_NEW_TOKENS = ["<fake_token_around_image>", _IMAGE_TOKEN, "<end_of_utterance>", "<global-img>", *_TILE_TOKENS]
# Small, so that the untrained image part does not disturb the trained language part.
_NEW_TOKEN_SCALE = 0.01
_CONNECTOR_SCALE = 0.05


def main(gguf: Path, text: Path, image: Path) -> None:
    torch.manual_seed(0)
    source = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    tokenizer = AutoTokenizer.from_pretrained(**source, model_max_length=_CONTEXT)
    # Without `dequantize`, save_pretrained refuses.
    model = AutoModelForCausalLM.from_pretrained(
        **source, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    # The GGUF file's working title of this model.
    del model.config._model_name_or_path
    model.save_pretrained(text, max_shard_size=_LARGEST_FILE)
    tokenizer.save_pretrained(text)
    _forget_where_made(text)
    print("text model written", flush=True)
    _write_image_repository(model, tokenizer, image)
    _forget_where_made(image)
    print("image model written", flush=True)


def _write_image_repository(language_model: Any, tokenizer: Any, destination: Path) -> None:
    tokenizer.add_special_tokens({"additional_special_tokens": _NEW_TOKENS})
    language_model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    with torch.no_grad():
        language_model.get_input_embeddings().weight[-len(_NEW_TOKENS) :] *= _NEW_TOKEN_SCALE
    model = Idefics3ForConditionalGeneration(_image_config(language_model.config, tokenizer)).to(torch.bfloat16)
    model.model.text_model.load_state_dict(language_model.model.state_dict())
    model.tie_weights()
    with torch.no_grad():
        for parameter in model.model.connector.parameters():
            parameter *= _CONNECTOR_SCALE
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(destination)
    # The processor that needs no torchvision.
    images = Idefics3ImageProcessorPil(size={"longest_edge": 2 * _TILE}, max_image_size={"longest_edge": _TILE})
    tokens_a_tile = (_TILE // _PATCH // _SCALE) ** 2
    tokenizer.chat_template = (destination / "chat_template.jinja").read_text()
    Idefics3Processor(
        image_processor=images,
        tokenizer=tokenizer,
        image_seq_len=tokens_a_tile,
        chat_template=tokenizer.chat_template,
    ).save_pretrained(destination)


def _image_config(language_config: Any, tokenizer: Any) -> Any:
    # Not the folder that the language model was read from.
    text_config = {name: value for name, value in language_config.to_dict().items() if name != "_name_or_path"}
    return Idefics3Config(
        image_token_id=tokenizer.convert_tokens_to_ids(_IMAGE_TOKEN),
        vision_config={
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": _TILE,
            "patch_size": _PATCH,
        },
        text_config={**text_config, "vocab_size": len(tokenizer)},
        scale_factor=_SCALE,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )


def _forget_where_made(repository: Path) -> None:
    """Takes out what transformers notes about how it was called."""
    path = repository / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    kept = {name: value for name, value in settings.items() if name not in ("is_local", "local_files_only")}
    path.write_text(json.dumps(kept, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
