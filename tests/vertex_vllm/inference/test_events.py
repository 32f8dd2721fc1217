"""Server-sent events from bytes that arrive as they please."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.inference.events import event_data

LINE_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
PAYLOADS = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))
# Anything but a data field: comments, other fields, no field at all; never an empty line, which would end an event.
GARBAGE = st.binary(min_size=1).filter(
    lambda line: line.partition(b":")[0] != b"data" and b"\n" not in line and b"\r" not in line
)


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[str]]:
    """A stream, and the data of its events."""
    end = draw(LINE_ENDS)
    events = draw(st.lists(st.lists(PAYLOADS, min_size=1, max_size=3), max_size=5))
    stream = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    if not stream:
        # Without a mark of its own, the first bytes must not look like one.
        stream = b":" + end
    for event in events:
        for payload in event:
            for line in draw(st.lists(GARBAGE, max_size=2)):
                stream += line + end
            stream += draw(st.sampled_from([b"data: ", b"data:"])) + payload.encode() + end
        stream += end
    return stream, ["\n".join(event) for event in events]


@st.composite
def cut(draw: st.DrawFn, stream: bytes) -> list[bytes]:
    """The stream in chunks with borders anywhere, inside characters and line ends too."""
    borders = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    return [stream[start:end] for start, end in zip([0, *borders], [*borders, len(stream)], strict=True)]


@given(st.data(), streams())
def test_events_come_out_whole_wherever_the_chunks_are_cut(data: st.DataObject, case: tuple[bytes, list[str]]) -> None:
    stream, events = case
    chunks = data.draw(cut(stream))
    # A payload's own first space is taken for the field's, where the field has none.
    stripped = [[line.removeprefix(" ") for line in event.split("\n")] for event in events]
    found = [[line.removeprefix(" ") for line in event.split("\n")] for event in event_data(chunks)]
    assert found == stripped


@given(st.lists(st.binary()))
def test_no_bytes_at_all_make_it_fail(chunks: list[bytes]) -> None:
    assert all(isinstance(data, str) for data in event_data(chunks))


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: one\n\ndata: two\n\n", ["one", "two"]),
        (b"data: one\r\n\r\ndata: two\r\n\r\n", ["one", "two"]),
        (b"data: a\ndata: b\n\n", ["a\nb"]),
        (b": keep-alive\n\ndata: one\n\n", ["one"]),
        (b"event: message\nid: 7\ndata: one\nretry: 10\n\n", ["one"]),
        (b"data:  two spaces\n\n", [" two spaces"]),
        (b"data\n\n", [""]),
        # Cut off by the end of the stream: not an event.
        (b"data: one\n\ndata: tw", ["one"]),
        (b"data: one\n", []),
        (b"database: no\n\n", []),
        (b"", []),
    ],
)
def test_what_the_standard_says(stream: bytes, events: list[str]) -> None:
    assert list(event_data([stream])) == events
    assert list(event_data(bytes([byte]) for byte in stream)) == events


def test_an_event_is_there_as_soon_as_its_bytes_are() -> None:
    def chunks():
        yield b'data: {"first": 1}\n\n'
        raise AssertionError("asked for more before giving out the first event")

    assert json.loads(next(event_data(chunks()))) == {"first": 1}


def test_a_stream_of_comments_alone_ends() -> None:
    seconds = iter(range(0, 1000, 7))
    pings = (b": ping\n\n" for _ in range(500))
    with pytest.raises(TimeoutError, match="held no event for 20 s"):
        list(event_data(pings, 20, lambda: next(seconds)))
    slow = iter(range(0, 1000, 7))
    assert list(event_data([b"data: x\n\n"] * 5, 20, lambda: next(slow))) == ["x"] * 5
