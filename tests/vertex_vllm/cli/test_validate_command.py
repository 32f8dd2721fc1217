"""`vertex-vllm validate` over several files: faults of single files, and of all files together."""

from pathlib import Path

from tests.vertex_vllm.cli.documented_commands import vertex_vllm

CONFIG = "name: {name}\nmodel: {{id: org/name}}\n"


def write(folder: Path, file: str, name: str, further: str = "") -> Path:
    path = folder / file
    path.write_text(CONFIG.format(name=name) + further)
    return path


def test_two_files_of_one_name_are_both_at_fault(tmp_path: Path) -> None:
    one, two, other = (write(tmp_path, f"{name}.yaml", "same" if name != "c" else "other") for name in "abc")
    answer = vertex_vllm("validate", one, two, other)
    assert (answer.returncode, answer.stdout) == (2, f"{other}: ok\n")
    assert answer.stderr.splitlines() == [
        f"error: {one}:1: name: {two} has this name too. Give each deployment a name of its own",
        f"error: {two}:1: name: {one} has this name too. Give each deployment a name of its own",
    ]


def test_each_option_that_vllm_lacks_is_named(tmp_path: Path) -> None:
    further = "serving:\n  extra_args: [--tensor-paralel-size=2, --model=foo, --enable-lora]\n"
    config = write(tmp_path, "x.yaml", "x", further)
    answer = vertex_vllm("validate", config)
    assert (answer.returncode, answer.stdout) == (2, "")
    first, second = answer.stderr.splitlines()
    at = f"error: {config}:4: serving.extra_args: "
    assert first == f"{at}--model may not be given: the mirrored weights decide it. Leave it out"
    assert second.startswith(f"{at}vLLM has no option --tensor-paralel-size. Did you mean --tensor-parallel-size")


def test_a_folder_stands_for_its_configs(tmp_path: Path) -> None:
    empty = vertex_vllm("validate", tmp_path)
    assert (empty.returncode, "is a folder without a .yaml file" in empty.stderr) == (2, True)
    config = write(tmp_path, "x.yaml", "x")
    assert vertex_vllm("validate", ".", cwd=tmp_path).stdout == "x.yaml: ok\n"
    assert vertex_vllm("validate", tmp_path).stdout == f"{config}: ok\n"
