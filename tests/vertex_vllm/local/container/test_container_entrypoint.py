import pytest

from vertex_vllm.local.container.entrypoint import Command, EntrypointError, read_command

MODEL_GARDEN = "vllm.entrypoints.api_server"
UPSTREAM = "vllm.entrypoints.openai.api_server"


@pytest.mark.parametrize("python", ["python", "python3", "python3.12", "/usr/bin/python3"])
def test_a_server_of_vllm_is_run(python):
    assert read_command([python, "-m", MODEL_GARDEN, "--model=m"]) == Command(MODEL_GARDEN, ("--model=m",))


def test_only_model_gardens_server_has_the_route_generate():
    assert read_command(["python", "-m", MODEL_GARDEN]).speaks_vertex
    assert not read_command(["python", "-m", UPSTREAM]).speaks_vertex


@pytest.mark.parametrize(
    ("args", "message", "exit_code"),
    [
        pytest.param(
            ["--model=google/gemma", "--port=8080"],
            "gcs_download_launcher.sh: line 319: --model=google/gemma: No such file or directory",
            127,
            id="flags only: the line that the image prints",
        ),
        pytest.param(
            ["--port=8080"], "gcs_download_launcher.sh: line 319: --port=8080: command not found", 127, id="without a /"
        ),
        pytest.param(
            ["/vllm-workspace/no-such-script.sh", "python"],
            "gcs_download_launcher.sh: line 319: /vllm-workspace/no-such-script.sh: No such file or directory",
            127,
            id="a program that is not there",
        ),
        pytest.param([], "The container has no args, so its entry point has nothing to run.", 1, id="nothing"),
        pytest.param(
            ["sh", "-c", "true"],
            "This machine runs vLLM's servers only (python -m …), not sh.",
            1,
            id="a program that is there",
        ),
        pytest.param(
            ["python", "-m", "hex_llm.server.api_server", "--port=7080"],
            "This machine runs vLLM's servers only: python -m vllm.entrypoints.api_server or python -m "
            "vllm.entrypoints.openai.api_server; the args begin with: python -m hex_llm.server.api_server",
            1,
            id="another server",
        ),
    ],
)
def test_what_cannot_be_run_is_told_as_the_image_tells_it(args, message, exit_code):
    with pytest.raises(EntrypointError) as refusal:
        read_command(args)
    assert (str(refusal.value), refusal.value.exit_code) == (message, exit_code)
