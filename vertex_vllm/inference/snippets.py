"""Ready-made calls of one endpoint for the clients that people use: OpenAI's, curl, Google's SDK, gcloud."""

QUESTION = "What is the capital of France?"


def snippets(endpoint: str, host: str, *, dedicated: bool) -> dict[str, str]:
    """Name of the client → text that asks `endpoint` (projects/P/locations/R/endpoints/E) one question.

    `host` takes the endpoint's requests: its own DNS name when it is `dedicated`, else the region's. Python texts print
    the answer; the others are shell commands that print the answer's JSON. They read Google's default credentials or
    those of gcloud, and none contains a token.
    """
    return {
        "openai": _openai(f"https://{host}/v1beta1/{endpoint}"),
        "curl": _curl(f"https://{host}/v1beta1/{endpoint}/chat/completions"),
        "sdk": _sdk(endpoint, dedicated=dedicated),
        "gcloud": _gcloud(endpoint, host if dedicated else ""),
    }


def _openai(base_url: str) -> str:
    return f'''\
import google.auth, google.auth.transport.requests, openai

credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
credentials.refresh(google.auth.transport.requests.Request())
client = openai.OpenAI(
    base_url="{base_url}",
    api_key=credentials.token,  # lives about an hour: refresh it, and make a new client
)
messages = [{{"role": "user", "content": "{QUESTION}"}}]
for chunk in client.chat.completions.create(model="", messages=messages, max_tokens=200, stream=True):
    print(chunk.choices[0].delta.content or "" if chunk.choices else "", end="", flush=True)
print()
'''


def _curl(url: str) -> str:
    return f"""\
curl --fail-with-body --silent --show-error "{url}" \\
  --header "Authorization: Bearer $(gcloud auth print-access-token)" \\
  --header "Content-Type: application/json" \\
  --data '{{"model": "", "messages": [{{"role": "user", "content": "{QUESTION}"}}], "max_tokens": 200}}'
"""


def _sdk(endpoint: str, *, dedicated: bool) -> str:
    return f'''\
from google.cloud import aiplatform

endpoint = aiplatform.Endpoint("{endpoint}")
asked = {{"prompt": "{QUESTION}", "max_tokens": 200, "raw_response": True}}
print(endpoint.predict([asked], use_dedicated_endpoint={dedicated}).predictions[0])
'''


def _gcloud(endpoint: str, dedicated_host: str) -> str:
    """gcloud knows no dedicated endpoints: the variable sends its request to the endpoint's own DNS name.

    The endpoint is named in full, because gcloud refuses a project's number in `--project`.
    """
    override = f"CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM=https://{dedicated_host}/ " if dedicated_host else ""
    return f"""\
{override}gcloud ai endpoints raw-predict \\
  {endpoint} \\
  --request='{{"instances": [{{"prompt": "{QUESTION}", "max_tokens": 200, "raw_response": true}}]}}'
"""
