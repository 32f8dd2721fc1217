"""Every method obeys its preconditions: `right` holds for the object as it is, `wrong` does not."""

import pytest
from google.api_core.exceptions import NotModified, PreconditionFailed

VERBS = {
    "upload": lambda blob, **conditions: blob.upload_from_string("new", **conditions),
    "delete": lambda blob, **conditions: blob.delete(**conditions),
    "patch": lambda blob, **conditions: blob.patch(**conditions),
    "update": lambda blob, **conditions: blob.update(**conditions),
    "compose": lambda blob, **conditions: blob.compose([blob.bucket.blob("source")], **conditions),
    "rewrite": lambda blob, **conditions: blob.rewrite(blob.bucket.blob("source"), **conditions),
    "copy": lambda blob, **conditions: blob.bucket.copy_blob(
        blob.bucket.blob("source"), blob.bucket, blob.name, **conditions
    ),
    "get": lambda blob, **conditions: blob.reload(**conditions),
    "download": lambda blob, **conditions: blob.bucket.blob(blob.name).download_as_bytes(**conditions),
}
READS = ("get", "download")


@pytest.fixture
def blob(bucket):
    bucket.blob("source").upload_from_string("source")
    blob = bucket.blob("object")
    blob.upload_from_string("old")
    blob.metadata = {"patched": "once"}
    blob.patch()
    return blob


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("condition", ["generation", "metageneration"])
def test_match(blob, verb, condition):
    right = getattr(blob, condition)
    with pytest.raises(PreconditionFailed):
        VERBS[verb](blob, **{f"if_{condition}_match": right + 1})
    assert blob.bucket.blob("object").download_as_bytes() == b"old"
    VERBS[verb](blob, **{f"if_{condition}_match": right})


@pytest.mark.parametrize(
    ("verb", "condition"),
    [
        (verb, condition)
        for verb in VERBS
        for condition in ("generation", "metageneration")
        # The client's compose takes neither; its upload misspells ifMetagenerationNotMatch (google-cloud-storage 3.17).
        if verb != "compose" and (verb, condition) != ("upload", "metageneration")
    ],
)
def test_not_match(blob, verb, condition):
    wrong = getattr(blob, condition)
    with pytest.raises(NotModified if verb in READS else PreconditionFailed):
        VERBS[verb](blob, **{f"if_{condition}_not_match": wrong})
    assert blob.bucket.blob("object").download_as_bytes() == b"old"
    VERBS[verb](blob, **{f"if_{condition}_not_match": wrong + 1})


def test_generation_0_means_only_if_there_is_none(bucket):
    bucket.blob("object").upload_from_string("first", if_generation_match=0)
    with pytest.raises(PreconditionFailed):
        bucket.blob("object").upload_from_string("second", if_generation_match=0)
    assert bucket.blob("object").download_as_bytes() == b"first"


def test_a_condition_on_the_etag(blob):
    blob.reload()
    with pytest.raises(NotModified):
        blob.reload(if_etag_not_match=blob.etag)
    with pytest.raises(PreconditionFailed):
        blob.reload(if_etag_match="another")
    blob.reload(if_etag_match=blob.etag)


def test_a_condition_that_is_no_number_is_refused(endpoint, http, blob):
    url = f"{endpoint}/storage/v1/b/{blob.bucket.name}/o/object"
    answer = http.get(url, params={"ifGenerationMatch": "newest"})
    assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (400, "invalid")


def test_an_upload_with_a_metageneration_not_to_match(endpoint, http, blob):
    url = f"{endpoint}/upload/storage/v1/b/{blob.bucket.name}/o"
    asked = {"uploadType": "media", "name": "object", "ifMetagenerationNotMatch": "2"}
    assert http.post(url, params=asked, data=b"new").status_code == 412
    assert http.post(url, params={**asked, "ifMetagenerationNotMatch": "3"}, data=b"new").status_code == 200


def test_a_failed_condition_names_the_header_that_it_stands_for(bucket, http, endpoint):
    bucket.blob("there").upload_from_string("")
    url = f"{endpoint}/storage/v1/b/{bucket.name}/o/there"
    error = http.get(url, params={"ifGenerationMatch": "1"}).json()["error"]["errors"][0]

    assert (error["reason"], error["locationType"], error["location"]) == ("conditionNotMet", "header", "If-Match")
