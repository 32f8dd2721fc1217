"""A config before and after: its faults with file, line and field; its plan; the comment about both."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.catalog import load_catalog
from vertex_vllm.ci.comment import code, comment, facts
from vertex_vllm.ci.concerned_configs import Concerned, Decision, Removed
from vertex_vllm.ci.review import Review, repeated_names, review
from vertex_vllm.ci.signature import check_signature, signature
from vertex_vllm.ci.unread import Unread
from vertex_vllm.config import Fault, parse_deployment

ROOT = Path(__file__).resolve().parents[3]
SPEC = (ROOT / "compiled" / "deploy.yaml").read_text()
CATALOG = load_catalog()
CONFIG = "configs/llama.yaml"
LLAMA = "name: llama\nmodel:\n  id: meta-llama/Llama-3.1-8B\nserving:\n  machine_type: g2-standard-12\n"
# Without a context of its own, the longest one that fits follows from machine and concurrency.
LLAMA_8K = f"{LLAMA}  max_model_len: 8192\n"


def reviewed(before: str | None, after: str, spec: str | None = SPEC) -> Review:
    why = "added" if before is None else "edited"
    return review(Concerned(CONFIG, why), before, after, "deploy", spec, CATALOG)  # type: ignore[arg-type]


def told(*reviews: Review, **decision: Any) -> str:
    given = {"concerned": tuple(each.concerned for each in reviews), "removed": (), "dependencies": (), **decision}
    return comment(Decision(**given), reviews, CATALOG)


def test_a_changed_machine_is_planned_before_and_after() -> None:
    changed = reviewed(
        LLAMA_8K, LLAMA_8K.replace("g2-standard-12", "g2-standard-24\n  spot: true\n  max_replica_count: 2")
    )
    assert changed.before is not None
    assert changed.before.plan is not None
    assert changed.after.plan is not None
    before, after = facts(changed.before.plan, CATALOG), facts(changed.after.plan, CATALOG)
    quota = "CustomModelServing{}L4GPUsPerProjectPerRegion: {}"
    assert {label: (before[label], after[label]) for label in after if before[label] != after[label]} == {
        "Machine": (
            "g2-standard-12, 1 replica, in us-central1",
            "g2-standard-24, 1 to 2 replicas, spot, in us-central1",
        ),
        "Accelerators": ("1 × NVIDIA_L4 a replica", "2 × NVIDIA_L4 a replica"),
        "Arguments": (
            before["Arguments"],
            before["Arguments"].replace("--tensor-parallel-size=1", "--tensor-parallel-size=2"),
        ),
        "Price": ("1.00 USD/h", "1.12 to 2.25 USD/h"),
        "Quota": (quota.format("", "1 to start, 1 at most"), quota.format("Preemptible", "2 to start, 4 at most")),
    }
    assert changed.parameters == (
        ("machine_type", "g2-standard-12", "g2-standard-24"),
        ("max_replica_count", 1, 2),
        ("spot", False, True),
    )
    text = told(changed)
    assert "| Price | `1.00 USD/h` | `1.12 to 2.25 USD/h` |" in text
    assert "| Model | same | `meta-llama/Llama-3.1-8B` |" in text
    assert "`spot` `false` → `true`" in text


def test_a_change_that_serves_the_same_says_so() -> None:
    text = told(reviewed(LLAMA_8K, f"{LLAMA_8K}evaluation:\n  concurrency: 8\n"))
    assert "What would be served stays the same" in text
    assert "`concurrency` `4` → `8`" in text


def test_a_price_elsewhere_is_unknown() -> None:
    after = reviewed(None, f"{LLAMA}google_cloud:\n  region: europe-west4\n").after
    assert after.plan is not None
    assert facts(after.plan, CATALOG)["Price"] == "unknown"


def test_a_model_that_nobody_recorded_is_for_the_hub() -> None:
    found = reviewed(None, "name: x\nmodel:\n  id: some-org/some-model\n")
    assert (found.after.plan, found.after.faults) == (None, ())
    assert "reads them from the Hub" in told(found)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (f"{LLAMA}  spott: true\n", f"{CONFIG}:6: serving.spott: unknown field. Did you mean spot?"),
        ("name: [", f"{CONFIG}:1: no valid YAML"),
        (f"{LLAMA}  max_model_len: 100000\n", f"{CONFIG}:5: serving.machine_type: g2-standard-12 cannot serve"),
    ],
    ids=["field", "yaml", "plan"],
)
def test_an_invalid_config_has_file_line_and_field_in_the_comment(text: str, fault: str) -> None:
    found = reviewed(LLAMA, text)
    (line,) = found.after.faults
    assert str(line).startswith(fault)
    assert f"- {code(str(line))}" in told(found)


def test_a_spec_that_takes_other_parameters_is_a_fault_at_the_field() -> None:
    renamed = SPEC.replace("      machine_type:\n", "      machine_kind:\n")
    assert renamed != SPEC
    found = reviewed(LLAMA, LLAMA, renamed)
    assert [str(fault) for fault in found.after.faults if "machine_type" in fault.field] == [
        f"{CONFIG}:5: serving.machine_type: compiled/deploy.yaml has no parameter machine_type. Run `make compile`"
    ]
    assert "there is no compiled/deploy.yaml" in reviewed(LLAMA, LLAMA, None).after.faults[0].message
    for text in ("[", "root: " + "[" * 100_000):
        assert "is not a compiled pipeline" in reviewed(LLAMA, LLAMA, text).after.faults[0].message


def test_every_difference_from_the_signature_is_told() -> None:
    deployment = parse_deployment(LLAMA, CONFIG)
    inputs = dict(signature(SPEC))
    assert check_signature(deployment, "deploy", inputs) == []
    inputs["spot"] = {"parameterType": "STRING"}
    inputs["new"] = {"parameterType": "STRING"}
    inputs["optional"] = {"parameterType": "STRING", "isOptional": True}
    assert check_signature(deployment, "deploy", inputs) == [
        Fault(("serving", "spot"), "compiled/deploy.yaml takes spot as STRING. Run `make compile`"),
        Fault((), "compiled/deploy.yaml needs new, which no config has. Run `make compile`"),
    ]


def test_the_comment_names_causes_removals_and_what_ci_leaves_alone() -> None:
    text = told(
        reviewed(None, LLAMA),
        reviewed(None, f"{LLAMA}deploy_on_change: true\n"),
        dependencies=tuple(f"vertex_vllm/{number}.py" for number in range(7)),
        removed=(Removed("old", "configs/old.yaml"), Removed("", "configs/broken.yaml")),
    )
    assert "`vertex_vllm/4.py` and 2 more files changed" in text
    assert "`old` (`configs/old.yaml`) is removed" in text
    assert "`configs/broken.yaml` is removed" in text
    assert text.count("`deploy_on_change` is not set") == 1


def test_configs_that_nobody_touched_are_a_row_each() -> None:
    touched = Concerned(CONFIG, "dependency")
    hub = "name: x\nmodel:\n  id: some-org/some-model\ndeploy_on_change: true\n"
    text = told(*(review(touched, each, each, "deploy", SPEC, CATALOG) for each in (LLAMA, hub)))
    machine = "g2-standard-12, 1 replica, in us-central1"
    assert text.partition("### Unchanged configs")[2].splitlines()[2:6] == [
        "| | config | machine | price | CI deploys it |",
        "|---|---|---|---|---|",
        f"| `llama` | `{CONFIG}` | `{machine}` | `1.00 USD/h` | no |",
        f"| `x` | `{CONFIG}` | `needs the Hub` | `unknown` | yes |",
    ]


def test_two_configs_of_one_name_are_both_at_fault() -> None:
    a, b, c = (f"configs/{name}.yaml" for name in "abc")
    found = repeated_names({a: LLAMA, b: LLAMA.replace("name: llama", "name: other"), c: LLAMA, "configs/d.yaml": "["})
    assert found == {
        mine: (Fault(("name",), f"{other} has this name too. Give each deployment a name of its own"),)
        for mine, other in ((a, c), (c, a))
    }
    faulty = review(Concerned(a, "edited"), LLAMA, LLAMA, "deploy", SPEC, CATALOG, found[a])
    assert str(faulty.after.faults[0]).startswith(f"{a}:1: name: {c} has this name too")


def test_a_renamed_config_says_where_it_was() -> None:
    concerned = Concerned(CONFIG, "renamed", "configs/before.yaml")
    text = told(review(concerned, LLAMA, LLAMA, "deploy", SPEC, CATALOG))
    assert f"### `llama` (`{CONFIG}`, renamed from `configs/before.yaml`)" in text
    assert "What would be served stays the same" in text


@pytest.mark.parametrize("count", [1, 200])
@pytest.mark.parametrize("why", ["edited", "dependency"])
def test_a_comment_keeps_under_its_limit_with_totals_and_the_first_configs(count: int, why: str) -> None:
    valid, faulty = reviewed(LLAMA, LLAMA), reviewed(LLAMA, "name: [")
    reviews = [
        replace(faulty if number == 199 else valid, concerned=Concerned(f"configs/c{number:03}.yaml", why))  # type: ignore[arg-type]
        for number in range(count)
    ]
    decision = Decision(tuple(each.concerned for each in reviews), (), ())
    whole = comment(decision, reviews, CATALOG)
    limit = min(60_000, len(whole.encode()) - 1) if count > 1 else 60_000
    short = comment(decision, reviews, CATALOG, limit=limit)
    assert len(short.encode()) <= limit
    if count == 1:
        assert short == whole
        return
    kind = "edited" if why == "edited" else "unchanged"
    assert "1 of 200 configs cannot be deployed" in short
    assert f"Configs: 1 not valid, 199 {kind}." in short
    assert "configs/c000.yaml" in short
    assert short.count("not valid\n") == 1
    assert "not fit here. The job's summary has the whole plan." in short
    assert all(f"configs/c{number:03}.yaml" in whole for number in range(200))


@given(st.integers(1200, 20_000), st.lists(st.text(max_size=400), max_size=12))
def test_whatever_there_is_to_say_fits(limit: int, faults: list[str]) -> None:
    one = reviewed(None, LLAMA)
    reviews = [replace(one, after=replace(one.after, faults=(fault,))) for fault in faults]
    text = comment(Decision(tuple(each.concerned for each in reviews), (), ()), reviews, CATALOG, limit=limit)
    assert len(text.encode()) <= limit


def test_files_that_are_not_read_are_in_the_comment() -> None:
    missed = (Unread("configs/a.yml", "is not read: configs end in .yaml. Rename it", True),)
    text = comment(Decision((), (), ()), [], CATALOG, missed)
    assert "## vertex-vllm: 1 file that may be a config is not read" in text
    assert "### Not read\n\n- `configs/a.yml` is not read: configs end in .yaml. Rename it." in text


@given(st.text())
def test_nothing_leaves_its_code_span(text: str) -> None:
    shown = code(text)
    assert "\n" not in shown
    assert shown == "(empty)" or (shown.count("`") == 2 and shown.startswith("`") and shown.endswith("`"))
    assert "|" not in shown
