import pytest
from google.api_core.exceptions import BadRequest, NotFound, PreconditionFailed

READER = {"role": "roles/storage.objectViewer", "members": {"serviceAccount:serving@p.iam.gserviceaccount.com"}}


def test_a_binding_that_is_set_is_there(bucket):
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings.append(READER)
    bucket.set_iam_policy(policy)
    assert READER in bucket.get_iam_policy().bindings


def test_a_new_buckets_policy_names_the_projects_owners(bucket):
    assert bucket.get_iam_policy().bindings == [
        {
            "role": "roles/storage.legacyBucketOwner",
            "members": {"projectEditor:storage-tests", "projectOwner:storage-tests"},
        },
        {"role": "roles/storage.legacyBucketReader", "members": {"projectViewer:storage-tests"}},
    ]


def test_a_policy_read_before_anothers_change_is_refused(bucket):
    first, second = bucket.get_iam_policy(), bucket.get_iam_policy()
    first.bindings.append(READER)
    bucket.set_iam_policy(first)
    second.bindings = []
    with pytest.raises(PreconditionFailed):
        bucket.set_iam_policy(second)
    assert READER in bucket.get_iam_policy().bindings


@pytest.mark.parametrize(
    "binding",
    [
        {"role": "roles/storage.objectViewer", "members": ["serving@p.iam.gserviceaccount.com"]},
        {"role": "objectViewer", "members": ["allUsers"]},
    ],
)
def test_members_and_roles_have_a_form(bucket, binding):
    policy = bucket.get_iam_policy()
    policy.bindings = [binding]
    with pytest.raises(BadRequest, match="Invalid argument"):
        bucket.set_iam_policy(policy)


def test_conditions_need_version_3_and_uniform_access(bucket):
    condition = {"title": "prefix", "expression": 'resource.name.startsWith("x")'}
    policy = bucket.get_iam_policy()
    policy.version = 3
    policy.bindings.append({**READER, "condition": condition})
    with pytest.raises(PreconditionFailed, match="enable uniform bucket-level access"):
        bucket.set_iam_policy(policy)
    policy.version = 1
    with pytest.raises(PreconditionFailed, match="enable uniform bucket-level access"):
        bucket.set_iam_policy(policy)

    bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    bucket.patch()
    policy.etag = None
    policy.version = 1
    with pytest.raises(BadRequest, match="at least 3"):
        bucket.set_iam_policy(policy)
    policy.version = 3
    bucket.set_iam_policy(policy)
    assert bucket.get_iam_policy(requested_policy_version=3).bindings[-1]["condition"] == condition


def test_the_owner_has_every_permission(bucket):
    permissions = ["storage.objects.get", "storage.buckets.delete"]
    assert bucket.test_iam_permissions(permissions) == permissions
    with pytest.raises(BadRequest, match="Invalid permission"):
        bucket.test_iam_permissions(["compute.instances.get"])


def test_a_missing_bucket_has_no_policy(client):
    with pytest.raises(NotFound):
        client.bucket("missing").get_iam_policy()
