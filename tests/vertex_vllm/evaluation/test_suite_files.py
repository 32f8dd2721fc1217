"""A team's own suite: read from files, and refused with file, line and remedy."""

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from vertex_vllm.errors import ConfigError, InputError
from vertex_vllm.evaluation.suites.item import chat_messages, completion_text
from vertex_vllm.evaluation.suites.suite import from_bundle, part_of, to_bundle
from vertex_vllm.evaluation.suites.suite_files import load_suite

HEADER = """\
name: mine
license: Apache-2.0
system: Be brief.
instruction: Answer in one word.
examples:
  - {prompt: "Capital of Italy?", answer: Rome}
items: [items.jsonl]
"""
FRANCE = {
    "id": "france",
    "category": "geography",
    "prompt": "Capital of France?",
    "check": {"kind": "exact", "accepted": ["Paris"]},
}


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s").mkdir()
    return tmp_path / "s"


def write(folder: Path, *rows: Any, header: str = HEADER) -> str:
    (folder / "suite.yaml").write_text(header, encoding="utf-8")
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / "items.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return "s/suite.yaml"


def test_an_item_is_asked_with_what_the_suite_says_for_all(folder: Path) -> None:
    choice = {**FRANCE, "id": "one", "check": {"kind": "choice", "options": ["Lyon", "Paris"], "right_option": 1}}
    suite = load_suite(write(folder, FRANCE, {**choice, "system": "", "level": 2}))
    france, one = suite.items
    assert [message["content"] for message in chat_messages(france)] == [
        "Be brief.",
        "Capital of Italy?",
        "Rome",
        "Capital of France?\nAnswer in one word.",
    ]
    assert completion_text(one) == (
        "Question: Capital of Italy?\nAnswer: Rome\n\n"
        "Question: Capital of France?\nA. Lyon\nB. Paris\nAnswer in one word.\nAnswer:"
    )
    assert (suite.name, suite.license, suite.levels, suite.clusters) == ("mine", "Apache-2.0", (1, 2), 2)


@pytest.mark.parametrize("end", ["\u2028", "\x85", "\u2029"])
def test_a_line_of_a_file_ends_where_json_lines_end(folder: Path, end: str) -> None:
    row = {**FRANCE, "prompt": f"Capital{end}of France?"}
    (item,) = load_suite(write(folder, json.dumps(row, ensure_ascii=False) + "\r")).items
    assert item.prompt.startswith(f"Capital{end}of France?")


@pytest.mark.parametrize("name", ["suite.yaml", "items.jsonl"])
def test_files_that_windows_wrote_are_read_or_their_encoding_named(folder: Path, name: str) -> None:
    place, file = write(folder, FRANCE), folder / name
    text = file.read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8-sig")
    assert len(load_suite(place).items) == 1
    file.write_text(text, encoding="utf-16")
    with pytest.raises(ConfigError, match="is in UTF-16, not in UTF-8"):
        load_suite(place)


def test_a_picture_stands_before_its_question_and_travels_with_the_bundle(folder: Path) -> None:
    (folder / "dot.png").write_bytes(png())
    suite = load_suite(write(folder, {**FRANCE, "picture": "dot.png"}))
    (part, text) = chat_messages(suite.items[0])[-1]["content"]
    assert part["image_url"]["url"].startswith("data:image/png;base64,")
    assert text == {"type": "text", "text": "Capital of France?\nAnswer in one word."}
    assert from_bundle(to_bundle(suite), "gs://b/s.json") == suite


def test_all_faults_of_all_lines_with_what_to_do(folder: Path) -> None:
    (folder / "text.png").write_text("no picture")
    with pytest.raises(ConfigError) as raised:
        load_suite(
            write(
                folder,
                FRANCE,
                "{",
                {**FRANCE, "id": "two", "check": {"kind": "exact"}},
                {**FRANCE, "id": "three", "levle": 1},
                FRANCE,
                {**FRANCE, "id": "four", "picture": "../../etc/passwd"},
                {**FRANCE, "id": "five", "picture": "text.png"},
                {**FRANCE, "id": "six", "picture": "gone.png"},
                {**FRANCE, "id": "seven", "level": 5},
                {**FRANCE, "id": "eight", "check": {"kind": "regex", "pattern": "("}},
                "[]",
                '{"id": "nine", "check": {"kind": "exact", "accepted": ["a"], "accepted": ["b"]}}',
            )
        )
    assert tuple(map(str, raised.value.faults)) == (
        "s/items.jsonl:2: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        "s/items.jsonl:3: check.accepted: missing. Add it",
        "s/items.jsonl:4: levle: unknown field. Leave it out, or correct its spelling",
        "s/items.jsonl:5: id: france is the id of s/items.jsonl:1 too. Give each item its own",
        "s/items.jsonl:6: picture: ../../etc/passwd is not beside the suite. Move it there",
        "s/items.jsonl:7: picture: text.png is neither PNG nor JPEG. Convert it",
        "s/items.jsonl:8: picture: gone.png cannot be read: No such file or directory. Name a file beside it",
        "s/items.jsonl:9: level: input should be less than or equal to 4",
        "s/items.jsonl:10: check.pattern: is not an RE2 pattern: missing ): (",
        "s/items.jsonl:11: is not a JSON object. Write one object per line: id, category, prompt, check",
        "s/items.jsonl:12: accepted: given again. Keep one of them",
    )


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("name: mine\nitems: [items.jsonl]\n", "s/suite.yaml:1: license: missing. Add it"),
        (HEADER + "author: me\n", "s/suite.yaml:8: author: unknown field. Leave it out, or correct its spelling"),
        (HEADER + "name: two\n", "s/suite.yaml:8: name: given again. Keep one of them"),
        (HEADER.replace("items.jsonl", "gone.jsonl"), "s/gone.jsonl:1: no such file. Name one that exists"),
        (HEADER.replace("items.jsonl", "/etc/passwd"), "s/suite.yaml:7: items: /etc/passwd is not beside the suite"),
        (HEADER.replace("[items.jsonl]", '["a\\0.jsonl"]'), ".jsonl:1: cannot be read: no name of a file"),
        ("- a\n", "s/suite.yaml:1: "),
    ],
)
def test_faults_of_the_yaml_file(folder: Path, header: str, fault: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_suite(write(folder, FRANCE, header=header))
    assert fault in str(raised.value)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("texts", "there is no suite 'texts'. Known: text, image"),
        ("gone/suite.yaml", "gone/suite.yaml:1: no such file"),
        ("gone\0.yaml", "cannot be read: no name of a file"),
    ],
)
def test_a_suite_that_is_not_there(place: str, told: str) -> None:
    with pytest.raises(InputError) as raised:
        load_suite(place)
    assert told in str(raised.value)


def test_a_part_of_a_suite_is_even_and_the_same_every_time(folder: Path) -> None:
    rows = [
        {**FRANCE, "id": f"{kind}-{n}", "category": kind, "level": 1 + n % 2, "prompt": f"{kind} {n}?"}
        for kind in "ab"
        for n in range(6)
    ]
    suite = load_suite(write(folder, *rows))
    assert [item.id for item in part_of(suite, items=5).items] == ["a-0", "a-1", "a-2", "b-0", "b-1"]
    assert [item.id for item in part_of(suite, [2], 2).items] == ["a-1", "b-1"]
    with pytest.raises(InputError, match=r"has no items of level 3"):
        part_of(suite, [3])
    with pytest.raises(InputError, match=r"has 12 items here, not 13"):
        part_of(suite, items=13)


@pytest.mark.parametrize("text", ["", "[]", '{"format": "other"}', '{"format": "vertex-vllm-suite/1", "name": "x"}'])
def test_a_bundle_that_is_none(text: str) -> None:
    with pytest.raises(InputError, match=r"gs://b/s.json: not a bundled suite"):
        from_bundle(text, "gs://b/s.json")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"items": []}, "it has no items"),
        ({"items": [5]}, "an item is not a JSON object"),
        ({"items": {"id": "a"}}, "an item is not a JSON object"),
        ({"items": None}, "not iterable"),
        ({"name": 5}, "name is 5, not a text"),
        ({"license": None}, "license is None, not a text"),
    ],
)
def test_a_bundle_that_was_changed_is_refused(folder: Path, changed: dict[str, Any], told: str) -> None:
    bundle = json.loads(to_bundle(load_suite(write(folder, FRANCE))))
    with pytest.raises(InputError, match=told):
        from_bundle(json.dumps(bundle | changed), "gs://b/s.json")
    with pytest.raises(InputError, match="it has an item twice"):
        from_bundle(json.dumps(bundle | {"items": bundle["items"] * 2}), "gs://b/s.json")


def test_a_byte_order_mark_is_no_part_of_an_item(folder: Path) -> None:
    place = write(folder, FRANCE)
    (folder / "items.jsonl").write_bytes(b"\xef\xbb\xbf" + (folder / "items.jsonl").read_bytes())
    assert [item.id for item in load_suite(place).items] == ["france"]


def test_a_question_that_is_asked_twice_is_refused(folder: Path) -> None:
    """It would count as two independent ones."""
    with pytest.raises(ConfigError, match=r"s/items.jsonl:2: the same question as s/items.jsonl:1"):
        load_suite(write(folder, FRANCE, {**FRANCE, "id": "again", "level": 2}))


@pytest.mark.parametrize("name", ["dot.png", "items.jsonl"])
def test_a_link_out_of_the_folder_is_not_followed(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    outside = tmp_path_factory.mktemp("outside") / name
    place = write(folder, {**FRANCE, "picture": "dot.png"})
    outside.write_bytes(png() if name == "dot.png" else (folder / name).read_bytes())
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(outside)
    with pytest.raises(ConfigError, match="is not beside the suite"):
        load_suite(place)
