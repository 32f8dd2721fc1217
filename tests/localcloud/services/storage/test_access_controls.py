"""Access control lists of buckets, which show and change the legacy roles of the bucket's policy."""

import pytest
from google.api_core.exceptions import BadRequest, NotFound

READER = "roles/storage.legacyBucketReader"
WRITER = "roles/storage.legacyBucketWriter"


def members(bucket, role):
    policy = bucket.get_iam_policy()
    return {member for binding in policy.bindings if binding["role"] == role for member in binding["members"]}


@pytest.fixture
def entries(bucket, endpoint):
    return f"{endpoint}/storage/v1/b/{bucket.name}/acl"


def test_a_new_buckets_list_names_the_projects_teams(bucket):
    number = bucket.project_number

    assert {entry["entity"]: entry["role"] for entry in bucket.acl} == {
        f"project-owners-{number}": "OWNER",
        f"project-editors-{number}": "OWNER",
        f"project-viewers-{number}": "READER",
    }


def test_entries_are_roles_of_the_policy(bucket, client):
    bucket.acl.user("ada@example.com").grant_write()
    bucket.acl.user("runner@storage-tests.iam.gserviceaccount.com").grant_read()
    bucket.acl.all_authenticated().grant_read()
    bucket.acl.save()

    runner = "serviceAccount:runner@storage-tests.iam.gserviceaccount.com"
    assert members(bucket, WRITER) == {"user:ada@example.com"}
    assert members(bucket, READER) == {runner, "allAuthenticatedUsers", "projectViewer:storage-tests"}


def test_ways_to_give_a_list_that_are_refused_by_name(endpoint, http, bucket):
    url = f"{endpoint}/storage/v1/b/{bucket.name}"
    lists = [
        http.patch(url, params={"predefinedAcl": "publicRead"}, json={}),
        http.patch(url, json={"defaultObjectAcl": [{"entity": "allUsers", "role": "READER"}]}),
    ]

    assert [answer.status_code for answer in lists] == [501, 501]


def test_one_entry_is_made_changed_and_deleted(bucket, entries, http):
    new = http.post(entries, json={"entity": "allUsers", "role": "READER"}).json()
    read = http.get(f"{entries}/allUsers").json()
    changed = http.put(f"{entries}/allUsers", json={"entity": "allUsers", "role": "WRITER"}).json()
    deleted = http.delete(f"{entries}/allUsers")
    bucket.reload()

    assert read == new
    assert {name: new[name] for name in new if name not in ("etag", "selfLink")} == {
        "kind": "storage#bucketAccessControl",
        "id": f"{bucket.name}/allUsers",
        "bucket": bucket.name,
        "entity": "allUsers",
        "role": "READER",
    }
    assert (changed["role"], deleted.status_code, deleted.content) == ("WRITER", 204, b"")
    assert bucket.metageneration == 4, "each of the three changes counts"
    assert members(bucket, WRITER) == set()


def test_entries_name_who_they_are_about(entries, http, bucket):
    def entry(entity):
        return http.post(entries, json={"entity": entity, "role": "READER"}).json()

    assert entry("user-ada@example.com")["email"] == "ada@example.com"
    assert entry("group-team@example.com")["email"] == "team@example.com"
    assert entry("domain-example.com")["domain"] == "example.com"
    team = {"projectNumber": str(bucket.project_number), "team": "viewers"}
    assert http.get(f"{entries}/project-viewers-{bucket.project_number}").json()["projectTeam"] == team


@pytest.mark.parametrize("body", [{"entity": "allUsers", "role": "ADMIN"}, {"entity": "ada", "role": "READER"}, {}])
def test_entries_that_are_refused(entries, http, body):
    assert http.post(entries, json=body).status_code == 400


def test_an_entity_without_an_entry(entries, http):
    answers = [http.get(f"{entries}/allUsers"), http.delete(f"{entries}/allUsers")]
    answers.append(http.put(f"{entries}/allUsers", json={"role": "READER"}))

    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert answers[0].json()["error"]["message"] == "The specified key does not exist."


def test_a_bucket_with_uniform_access_has_no_list(client):
    bucket = client.bucket("uniform-access")
    bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    client.create_bucket(bucket)

    with pytest.raises(BadRequest, match="uniform bucket-level access"):
        bucket.acl.reload()
    bucket.acl.loaded = True
    bucket.acl.all().grant_read()
    with pytest.raises(BadRequest, match="uniform bucket-level access"):
        bucket.acl.save()


def test_the_projection_decides_whether_lists_are_shown(bucket, endpoint, http, client):
    url = f"{endpoint}/storage/v1/b/{bucket.name}"
    lists = {"acl", "defaultObjectAcl", "owner"}
    usual = http.get(url).json()
    full = http.get(url, params={"projection": "full"}).json()
    patched = http.patch(url, json={"labels": {"a": "1"}}).json()

    assert lists.isdisjoint(usual)
    assert full.keys() - usual.keys() == lists == patched.keys() - usual.keys() - {"labels"}
    assert lists.isdisjoint(http.patch(url, params={"projection": "noAcl"}, json={}).json())
    assert http.get(url, params={"projection": "everything"}).status_code == 400
    with pytest.raises(NotFound):
        client.bucket("not-there").acl.reload()
