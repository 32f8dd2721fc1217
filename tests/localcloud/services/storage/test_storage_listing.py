import pytest
from google.api_core.exceptions import BadRequest, NotFound
from hypothesis import given
from hypothesis import strategies as st

from localcloud.services.storage.object_listing import glob_matcher
from localcloud.services.storage.storage_errors import StorageError

NAMES = (
    *("a", "a/", "a/1", "a/2", "a/b/1", "a/b/2", "a-b", "b//", "b//c"),
    *("c/1", "d", "é/1", "é/2", "z/z/z", "\U0001f600", "~"),
)


@pytest.fixture(scope="module")
def listed(client):
    bucket = client.create_bucket("listed-names")
    for name in NAMES:
        bucket.blob(name).upload_from_string("")
    return bucket


def expected_list(prefix, delimiter, trailing, start, stop):
    """A list as the documentation describes it, in the simplest code."""
    items, prefixes = [], set()
    for name in NAMES:
        if not name.startswith(prefix) or name < start or (stop and name >= stop):
            continue
        end = name.find(delimiter, len(prefix)) if delimiter else -1
        group = name[: end + len(delimiter)] if end >= 0 else None
        if group:
            prefixes.add(group)
        if not group or (trailing and group == name):
            items.append(name)
    return sorted(items, key=str.encode), sorted(prefixes, key=str.encode)


@given(
    prefix=st.sampled_from(["", "a", "a/", "a/b/", "b/", "é", "nothing"]),
    delimiter=st.sampled_from([None, "/", "//", "b"]),
    trailing=st.booleans(),
    start=st.sampled_from(["", "a", "a/1", "a/b", "c", "é"]),
    stop=st.sampled_from([None, "a/2", "c/1", "é/2"]),
    size=st.integers(1, 20),
)
def test_lists_by_prefix_delimiter_offsets_and_pages(listed, prefix, delimiter, trailing, start, stop, size):
    found = listed.list_blobs(
        prefix=prefix,
        delimiter=delimiter,
        include_trailing_delimiter=trailing,
        start_offset=start,
        end_offset=stop,
        page_size=size,
    )
    items = [blob.name for blob in found]
    assert (items, sorted(found.prefixes, key=str.encode)) == expected_list(prefix, delimiter, trailing, start, stop)


def test_pages_hold_as_many_entries_as_asked_for_prefixes_included(endpoint, http, listed):
    url = f"{endpoint}/storage/v1/b/{listed.name}/o"
    page = http.get(url, params={"delimiter": "/", "maxResults": 3}).json()
    assert [item["name"] for item in page["items"]] == ["a", "a-b"]
    assert page["prefixes"] == ["a/"]
    following = http.get(url, params={"delimiter": "/", "maxResults": 2, "pageToken": page["nextPageToken"]}).json()
    assert following["prefixes"] == ["b/", "c/"]


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("a/*", ["a/", "a/1", "a/2"]),
        ("a/**", ["a/", "a/1", "a/2", "a/b/1", "a/b/2"]),
        ("**/1", ["a/1", "a/b/1", "c/1", "é/1"]),
        ("?/[2-9]", ["a/2", "é/2"]),
        ("?/[!2/]", ["a/1", "c/1", "é/1"]),
        ("{c,z/z}/*", ["c/1", "z/z/z"]),
        ("a.", []),
    ],
)
def test_globs(listed, glob, expected):
    assert [blob.name for blob in listed.list_blobs(match_glob=glob)] == expected


@pytest.mark.parametrize("glob", ["{a", "a}", "[z-a]"])
def test_globs_that_are_none(glob):
    with pytest.raises(StorageError, match="matchGlob"):
        glob_matcher(glob)


def test_folders_within_folders(listed):
    found = listed.list_blobs(prefix="a/", delimiter="/")
    assert ([blob.name for blob in found], found.prefixes) == (["a/", "a/1", "a/2"], {"a/b/"})


def test_lists_of_a_missing_bucket_and_with_a_wrong_token(client, listed):
    with pytest.raises(NotFound):
        list(client.list_blobs("missing"))
    with pytest.raises(BadRequest, match="pageToken"):
        list(listed.list_blobs(page_token="made up"))


def test_fields_of_a_list(listed):
    found = list(listed.list_blobs(prefix="c/", fields="items(name,size),nextPageToken"))
    assert [(blob.name, blob.size, blob.generation) for blob in found] == [("c/1", 0, None)]


def test_parameters_that_are_sent_empty_count_as_absent(listed, http, endpoint):
    empty = dict.fromkeys(
        ("delimiter", "endOffset", "matchGlob", "maxResults", "pageToken", "prefix", "startOffset"), ""
    )
    url = f"{endpoint}/storage/v1/b/{listed.name}/o"

    assert http.get(url, params=empty).json() == http.get(url).json()
