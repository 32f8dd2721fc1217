"""`vertex-vllm mirror MODEL --to gs://…`, `vertex-vllm mirror verify` and `vertex-vllm mirror gc`"""

import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from vertex_vllm.cli.help_text import Group
from vertex_vllm.cli.json_output import print_json
from vertex_vllm.cli.place import named_project
from vertex_vllm.cli.terminal import say, say_json

if TYPE_CHECKING:
    from vertex_vllm.mirror import Comparison, Manifest
    from vertex_vllm.mirror.progress import OnProgress


class _ModelOrCommand(Group):
    """`mirror MODEL …` is `mirror copy MODEL …`: a model's id has a slash, and no command has."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            args = ["copy", *args]
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Adds the options of `mirror MODEL` to the help."""
        with formatter.section("Options of mirror MODEL"):
            formatter.write_dl(
                [record for each in self.commands["copy"].params if (record := each.get_help_record(ctx)) is not None]
            )
        super().format_options(ctx, formatter)


@click.group(cls=_ModelOrCommand, invoke_without_command=False, subcommand_metavar="MODEL --to gs://… | COMMAND …")
def mirror() -> None:
    """Copy a model from the Hugging Face Hub to Cloud Storage, streamed and verified.

    Example: vertex-vllm mirror HuggingFaceTB/SmolLM2-135M-Instruct --to gs://my-bucket
    """


@mirror.command("copy")
@click.argument("model")
@click.option(
    "--to",
    "target",
    required=True,
    help="gs://BUCKET for gs://BUCKET/models/MODEL/COMMIT, or gs://BUCKET/PREFIX as it is. The bucket must exist.",
)
@click.option("--revision", default="main", show_default=True, help="Branch, tag or commit.")
@click.option(
    "--hf-token-secret", default="", help="Secret Manager secret with the Hub's token; default: HF_TOKEN, if it is set."
)
@click.option("--include", multiple=True, metavar="PATTERN", help="Only files that match; may be repeated.")
@click.option("--code", is_flag=True, help="Also the repo's own Python code, which serving it would run.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="No files that match; may be repeated.")
@click.option("--processes", type=click.IntRange(0), default=0, help="Processes for large files; 0: one per CPU.")
@click.option(
    "--connections",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    help="Most reads at once in each process; each needs 24 MiB.",
)
@click.option(
    "--transport",
    type=click.Choice(["http", "xet"]),
    default="http",
    show_default=True,
    help="xet: the Hub's chunk store, and ranges over HTTP when it stalls.",
)
@click.option(
    "--pickled-weights",
    type=click.Choice(["refuse", "scanned", "any"]),
    default="refuse",
    show_default=True,
    help="Pickle files: refuse them, take those that a scan finds harmless, or take any.",
)
@click.option("--sign-with", default="", metavar="KEY", help="Sign the mirror: a Cloud KMS key version, or a PEM file.")
@click.option("--dry-run", is_flag=True, help="Show what would be copied; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the manifest, or with --dry-run the files.")
@click.option("--project", help="Project of the bucket and the secret; default: GOOGLE_CLOUD_PROJECT.")
def copy_command(
    model: str,
    target: str,
    revision: str,
    hf_token_secret: str,
    code: bool,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    processes: int,
    connections: int,
    transport: str,
    pickled_weights: str,
    sign_with: str,
    dry_run: bool,
    as_json: bool,
    project: str | None,
) -> None:
    """Copy the files that serving needs. An interrupted mirror resumes; a finished one copies nothing.

    Example: vertex-vllm mirror meta-llama/Llama-3.1-8B-Instruct --to gs://my-bucket --hf-token-secret hf-token
    """
    from vertex_vllm.hub.access import check_access
    from vertex_vllm.mirror import ProgressLog, Selection, Transfer, compare, destination, mirror_weights
    from vertex_vllm.mirror.pickle_scan import pickled_consent
    from vertex_vllm.mirror.signing_keys import signing_key

    bucket, prefix = _parse_target(target)
    named = named_project(project)
    token = _token(hf_token_secret, named)
    commit = check_access(model, revision, token).commit
    uri = f"gs://{bucket}/{prefix}" if prefix else destination(bucket, model, commit)
    selection = Selection(include, exclude, code)
    if dry_run:
        _show(compare(model, commit, token, uri, named, selection), uri, as_json)
        return
    transfer = Transfer(processes=processes, connections=connections, transport=transport)

    def copy(on_progress: "OnProgress") -> "Manifest":
        return mirror_weights(
            model,
            commit,
            token,
            uri,
            named,
            on_progress,
            selection=selection,
            transfer=transfer,
            pickled_weights=pickled_consent(pickled_weights),
            signing=signing_key(sign_with) if sign_with else None,
        )

    if sys.stderr.isatty():
        from vertex_vllm.cli.mirror_view import terminal_view

        with terminal_view() as view:
            manifest = copy(view)
    else:
        manifest = copy(ProgressLog(lambda line: say(line, err=True)))
    _tell(manifest, as_json)


@mirror.command("verify")
@click.argument("uri", metavar="gs://BUCKET/PREFIX")
@click.option(
    "--key",
    default="",
    metavar="KEY",
    help="Key that signed it: a Cloud KMS key version, or a PEM file.",
)
@click.option("--content", is_flag=True, help="Read and hash every object; otherwise CRC32C and generation count.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--project", help="Project of the bucket; default: GOOGLE_CLOUD_PROJECT.")
def verify_command(uri: str, key: str, content: bool, as_json: bool, project: str | None) -> None:
    """Verify that a mirror is signed by a key, and that its objects are those that were signed.

    Without --key, objects are compared with the manifest in the bucket, which anybody who may write there can replace.
    Exit code 1 where anything differs, 2 where the key or the place cannot be used.

    Example: vertex-vllm mirror verify gs://my-bucket/models/OWNER/NAME/COMMIT --key key.pem
    """
    from vertex_vllm.mirror.signing_keys import signing_key
    from vertex_vllm.mirror.verification import verify_mirror

    found = verify_mirror(uri, named_project(project), signing_key(key) if key else None, content=content)
    if as_json:
        print_json(found)
        return
    say(f"{found.uri}: {found.repository}@{found.commit}")
    say(f"{found.files} files, {_size(found.bytes).strip()}, {'hashed' if content else 'by CRC32C and generation'}")
    if key:
        say(f"signed by {found.key}, mirrored by {found.mirrored_by}")
    else:
        say("the signature was not verified: name the key with --key", err=True)


@mirror.command("gc")
@click.argument("bucket", metavar="gs://BUCKET")
@click.option(
    "--older-than-days",
    "days",
    type=click.IntRange(0),
    default=7,
    show_default=True,
    help="Only what was last written so many days ago.",
)
@click.option("--delete", is_flag=True, help="Delete them; without this option, they are only listed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--project", help="Project of the bucket and of the Models; default: GOOGLE_CLOUD_PROJECT.")
def gc_command(bucket: str, days: int, delete: bool, as_json: bool, project: str | None) -> None:
    """Find mirrors that nothing in the project serves from, and abandoned uploads.

    A dry run unless --delete is given. Looks at the Models and the runs of every region, and at the bucket's locks.
    Models of other projects are not seen.

    Example: vertex-vllm mirror gc gs://my-bucket
    """
    from vertex_vllm.catalog import load_catalog
    from vertex_vllm.google.deployment_bucket import check_bucket_name
    from vertex_vllm.lifecycle.mirror_garbage import find_garbage, remove_garbage

    name = check_bucket_name(bucket.removeprefix("gs://").rstrip("/"))
    named = named_project(project)
    regions = load_catalog().regions
    garbage = find_garbage(named, name, regions, timedelta(days=days))
    if delete:
        garbage = remove_garbage(named, name, garbage, regions)
    if as_json:
        print_json(garbage)
        return
    for one in garbage:
        size = f"{one.objects} objects, {_size(one.bytes).strip()}" if one.objects else "an upload under way"
        say(f"{'deleted' if delete else 'unused'}   {one.uri}   {size}, {one.reason}, since {one.since:%Y-%m-%d}")
    told = "deleted" if delete else "unused: --delete removes them" if garbage else "unused"
    say(f"{len(garbage)} mirrors and uploads {told}", err=True)


def _token(hf_token_secret: str, project: str) -> str | None:
    from vertex_vllm.hub import hub_token
    from vertex_vllm.hub.token import own_token
    from vertex_vllm.project_names import secret_version_name

    if hf_token_secret:
        return hub_token(secret_version_name(hf_token_secret, project))
    return own_token()


def _parse_target(target: str) -> tuple[str, str]:
    """Bucket, and prefix if one is given."""
    from vertex_vllm.google.deployment_bucket import check_bucket_name
    from vertex_vllm.mirror.destination import split_destination

    name = target.removeprefix("gs://").rstrip("/")
    if target.startswith("gs://") and "/" not in name:
        return check_bucket_name(name), ""
    return split_destination(target)


def _show(comparison: "Comparison", uri: str, as_json: bool) -> None:
    if as_json:
        print_json({"destination": uri, "present": comparison.present, "missing": comparison.missing})
        return
    for file in comparison.missing:
        say(f"copy     {_size(file.size)}   {file.path}")
    for file in comparison.present:
        say(f"present  {_size(file.size)}   {file.path}")
    missing = sum(file.size for file in comparison.missing)
    say(f"{len(comparison.missing)} files, {_size(missing).strip()} to copy to {uri}", err=True)


def _tell(manifest: "Manifest", as_json: bool) -> None:
    if as_json:
        say_json(manifest.to_json())
        return
    say(manifest.uri)
    say(f"{len(manifest.files)} files, {_size(manifest.total_bytes).strip()}, verified", err=True)


def _size(count: int) -> str:
    """Bytes for a person, eight characters wide."""
    amount, unit = float(count), "B "
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:5.0f} {unit}" if unit == "B " else f"{amount:5.1f} {unit}"
