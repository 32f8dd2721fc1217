import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound, PreconditionFailed
from google.cloud import storage


def test_a_created_bucket_keeps_its_location_class_access_and_labels(client):
    bucket = client.bucket("kept-settings")
    bucket.storage_class = "NEARLINE"
    bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    bucket.labels = {"deployment": "demo"}
    client.create_bucket(bucket, location="europe-west4")

    found = client.get_bucket("kept-settings")

    assert (found.location, found.location_type, found.storage_class) == ("EUROPE-WEST4", "region", "NEARLINE")
    assert found.iam_configuration.uniform_bucket_level_access_enabled
    assert (found.iam_configuration.uniform_bucket_level_access_locked_time - found.time_created).days in (89, 90)
    assert found.labels == {"deployment": "demo"}


@pytest.mark.parametrize(
    ("location", "kind"), [("EU", "multi-region"), ("NAM4", "dual-region"), ("me-west1", "region")]
)
def test_location_types(client, location, kind):
    assert client.create_bucket(f"in-{location.lower()}", location=location).location_type == kind


def test_a_bucket_without_location_is_in_the_us(client):
    assert client.create_bucket("no-location").location == "US"


def test_an_unknown_location_is_refused(client):
    with pytest.raises(BadRequest, match="location constraint"):
        client.create_bucket("nowhere", location="eu-west-4")


@pytest.mark.parametrize("name", ["ab", "UPPER", "goog-prefix", "10.0.0.1", "a..b", "x" * 64])
def test_bucket_names_that_cloud_storage_refuses(client, name):
    with pytest.raises(BadRequest, match="Invalid bucket name"):
        client.create_bucket(name)


def test_the_project_number_is_the_owners(client):
    other = client.create_bucket("of-another-project", project="another-project")
    assert client.get_bucket("of-another-project").project_number == other.project_number
    assert other.project_number != client.create_bucket("of-this-project").project_number


def test_creating_a_bucket_twice_says_who_owns_it(client):
    client.create_bucket("taken")
    with pytest.raises(Conflict, match="you already own it"):
        client.create_bucket("taken")
    with pytest.raises(Conflict, match="not available"):
        client.create_bucket("taken", project="another-project")


def test_a_missing_bucket(client):
    assert client.lookup_bucket("missing") is None
    assert not client.bucket("missing").exists()
    with pytest.raises(NotFound, match="The specified bucket does not exist"):
        client.get_bucket("missing")


def test_lists_hold_a_projects_buckets_by_prefix_and_page(client):
    for name in ("listed-b", "listed-a", "listed-c", "other"):
        client.create_bucket(name, project="listing-project")

    listed = client.list_buckets(project="listing-project", prefix="listed-", page_size=2)

    assert [[bucket.name for bucket in page] for page in listed.pages] == [["listed-a", "listed-b"], ["listed-c"]]


def test_patch_changes_only_what_is_sent(bucket, client):
    bucket.labels = {"a": "1", "b": "2"}
    bucket.patch()
    bucket.labels = {"b": "3"}
    bucket.patch()
    bucket.add_lifecycle_delete_rule(age=7)
    bucket.add_lifecycle_abort_incomplete_multipart_upload_rule(age=1)
    bucket.patch()

    found = client.get_bucket(bucket.name)

    assert found.labels == {"b": "3"}
    assert [dict(rule) for rule in found.lifecycle_rules] == [
        {"action": {"type": "Delete"}, "condition": {"age": 7}},
        {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 1}},
    ]
    assert found.metageneration == 4
    assert found.storage_class == "STANDARD"


def test_an_empty_patch_changes_nothing(endpoint, http, bucket):
    url = f"{endpoint}/storage/v1/b/{bucket.name}"
    before = http.get(url, params={"projection": "full"}).json()
    assert http.patch(url, json={}).json() == before
    assert http.patch(url, json={}, params={"ifMetagenerationMatch": "7"}).status_code == 412


def test_update_replaces_all_settings(bucket, client):
    bucket.labels = {"a": "1"}
    bucket.patch()
    bucket.labels = {}
    bucket.storage_class = "COLDLINE"
    bucket.update()

    found = client.get_bucket(bucket.name)

    assert (found.labels, found.storage_class) == ({}, "COLDLINE")


def test_a_change_of_an_old_state_is_refused(bucket, client):
    bucket.labels = {"seen": "first"}
    bucket.patch()
    bucket.labels = {"seen": "late"}
    with pytest.raises(PreconditionFailed):
        bucket.patch(if_metageneration_match=1)
    assert client.get_bucket(bucket.name).labels == {"seen": "first"}


def test_only_an_empty_bucket_can_be_deleted(bucket, client):
    bucket.blob("object").upload_from_string("bytes")
    with pytest.raises(Conflict, match="not empty"):
        bucket.delete()
    bucket.delete(force=True)
    assert client.lookup_bucket(bucket.name) is None


def test_a_bucket_of_the_same_name_is_a_new_one(bucket, client):
    bucket.blob("object").upload_from_string("bytes")
    bucket.delete(force=True)
    assert list(client.create_bucket(bucket.name).list_blobs()) == []


def test_service_account_of_the_project(client):
    address = client.get_service_account_email("some-project")
    assert address.endswith("@gs-project-accounts.iam.gserviceaccount.com")


def test_what_is_missing_says_so(endpoint, http, bucket):
    answer = http.get(f"{endpoint}/storage/v1/b/{bucket.name}/notificationConfigs")
    assert answer.status_code == 501
    error = answer.json()["error"]
    assert error["errors"][0]["reason"] == "notImplemented"
    assert "notificationConfigs" in error["message"]


def test_errors_have_googles_shape(endpoint, http):
    assert http.get(f"{endpoint}/storage/v1/b/missing").json() == {
        "error": {
            "code": 404,
            "message": "The specified bucket does not exist.",
            "errors": [{"message": "The specified bucket does not exist.", "domain": "global", "reason": "notFound"}],
        }
    }


def test_fields_select_what_is_answered(endpoint, http, bucket):
    url = f"{endpoint}/storage/v1/b/{bucket.name}"
    asked = {"fields": "name,iamConfiguration(publicAccessPrevention)"}
    assert http.get(url, params=asked).json() == {
        "name": bucket.name,
        "iamConfiguration": {"publicAccessPrevention": "inherited"},
    }
    assert http.get(url, params={"fields": "name("}).status_code == 400


def test_versioning_is_kept(client: storage.Client, bucket):
    bucket.versioning_enabled = True
    bucket.patch()
    assert client.get_bucket(bucket.name).versioning_enabled
