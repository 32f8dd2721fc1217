"""Forms of identifiers, each with its description for a person."""

from vertex_vllm.google import regional_hosts

# Pattern → what a value of that form is, as it ends the sentence "must be …".
MEANING: dict[str, str] = {}


def _form(pattern: str, meaning: str) -> str:
    MEANING[pattern] = meaning
    return pattern


# Ends up in labels and resource ids (Google Cloud, "Requirements for labels"), with a prefix and a hash beside it.
DEPLOYMENT_NAME = _form(
    r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$",
    "1 to 40 lower-case letters, digits and hyphens, beginning with a letter and not ending with a hyphen",
)
# A label holds it beside the deployment's name.
SCHEDULE_NAME = DEPLOYMENT_NAME
# huggingface_hub's own check of repo ids, with the owner required.
MODEL_ID = _form(
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$",
    "owner/name as on the Hugging Face Hub, for example meta-llama/Llama-3.1-8B-Instruct",
)
REVISION = _form(r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,254}$", "a branch, a tag or a commit of the model's repo")
HF_TOKEN_SECRET = _form(
    r"^([A-Za-z0-9_-]{1,255}|projects/[a-z0-9.:-]+/secrets/[A-Za-z0-9_-]{1,255}(/versions/[A-Za-z0-9_-]+)?)?$",
    "the id of a secret in Secret Manager, or projects/PROJECT/secrets/SECRET/versions/VERSION",
)
PROJECT = _form(r"^([a-z][a-z0-9.:-]{4,61}[a-z0-9])?$", "a project id, for example my-project-123")
REGION = _form(f"^{regional_hosts.REGION}$", "a Google Cloud region, for example us-central1")
PLACE = _form(
    rf"^{regional_hosts.REGION}/[a-z0-9]+(-[a-z0-9]+)*$", "REGION/MACHINE_TYPE, for example us-east4/g2-standard-12"
)
BUCKET = _form(
    r"^([a-z0-9][a-z0-9_.-]{1,61}[a-z0-9])?$",
    "a bucket's name without gs://: 3 to 63 lower-case letters, digits, hyphens, dots and underscores",
)
SERVICE_ACCOUNT = _form(
    r"^([a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com)?$",
    "a service account's address, for example serving@my-project.iam.gserviceaccount.com",
)
# A label's value (Google Cloud, "Requirements for labels").
OWNER = _form(
    r"^([a-z0-9][a-z0-9_-]{0,62})?$",
    "1 to 63 lower-case letters, digits, hyphens and underscores: it is a label's value",
)
IMAGE = _form(
    r"^([a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?)?$",
    "a container image with its registry and tag",
)
SUITE = _form(
    r"^([a-z0-9][a-z0-9-]{0,62}|gs://[a-z0-9][a-z0-9_.-]{1,61}[a-z0-9]/\S+\.(yaml|yml|json)|[^\s:]+\.(yaml|yml))$",
    "the name of a shipped suite, a YAML file of the repository, or gs://BUCKET/PATH/suite.yaml",
)
BASELINE = _form(
    r"^(promoted|none|gs://[a-z0-9][a-z0-9_.-]{1,61}[a-z0-9]/\S+\.json)$",
    "promoted, none, or gs://BUCKET/PATH/result.json",
)
EXPERIMENT = _form(
    r"^([a-z0-9][a-z0-9-]{3,63})?$",
    "none, or an experiment's id: 4 to 64 lower-case letters, digits and hyphens, not beginning with a hyphen",
)
DOMAIN = _form(
    r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$",
    "a host name, for example upload.wikimedia.org",
)
# The Hub's ids of licences and names that cards give, llama3.1 or "some-community-license (v2)" for example.
LICENCE = _form(r"^[A-Za-z0-9]([A-Za-z0-9 ._+()-]{0,98}[A-Za-z0-9+)])?$", "the id or name of a licence on one line")
KEY_VERSION = _form(
    r"^(projects/[a-z0-9.:-]+/locations/[a-z0-9-]+/keyRings/[A-Za-z0-9_-]{1,63}"
    r"/cryptoKeys/[A-Za-z0-9_-]{1,63}/cryptoKeyVersions/[0-9]+)?$",
    "a key version of Cloud KMS, projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/V",
)
TRACE = _form(r"^(gs://[a-z0-9][a-z0-9_.-]{1,61}[a-z0-9]/.+)?$", "an object in Cloud Storage, gs://BUCKET/OBJECT")
ARGUMENT = _form(r"^\S(.*\S)?$", "an argument without blanks at its ends")
# The form of a Hugging Face token itself, which no secret's id has.
HF_TOKEN = r"^hf_[A-Za-z0-9]{20,}$"
HF_TOKEN_WITHIN = r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{20,}"
