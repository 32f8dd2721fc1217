"""Cloud Quotas: preferences. A lower limit is granted at once, a higher one on a decision.

Google decides about higher limits; here `PUT /_local/quotas` sets them. Until then a preference is
`reconciling`, and its granted value is the current limit.
"""

import re
from typing import Any

from google.cloud.cloudquotas_v1.types import ListQuotaPreferencesResponse, QuotaPreference
from google.protobuf.message import Message

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.paging import page
from localcloud.core.registration import Service
from localcloud.core.store import Kind
from localcloud.services.cloud_quotas.quotas import catalogue, quota_limit, set_quota_limit

_PREFERENCES = Kind("quota preference", QuotaPreference.pb())
_PARENT = re.compile(r"projects/[^/]+/locations/global")
_ID = re.compile(r"[a-z]([a-z0-9_-]{0,61}[a-z0-9])?")

service = Service("google.api.cloudquotas.v1.CloudQuotas")


@service.method("CreateQuotaPreference")
def create_quota_preference(request: Any, cloud: Cloud) -> Message:
    parent = _parent(request.parent, cloud)
    preference = QuotaPreference.pb()()
    preference.CopyFrom(request.quota_preference)
    preference_id = request.quota_preference_id or f"preference-{cloud.ids.hex(12)}"
    if not _ID.fullmatch(preference_id):
        raise ApiError("INVALID_ARGUMENT", f"{preference_id!r} is not an id of a quota preference: a-z, 0-9, _ and -.")
    preference.name = f"{parent}/quotaPreferences/{preference_id}"
    preference.create_time.CopyFrom(cloud.timestamp())
    with cloud.store.transaction():
        for other in cloud.store.list(_PREFERENCES, parent):
            if (other.quota_id, dict(other.dimensions)) == (preference.quota_id, dict(preference.dimensions)):
                raise ApiError("ALREADY_EXISTS", f"{other.name} is about the same quota and dimensions.")
        _ask(cloud, preference)
        cloud.store.insert(_PREFERENCES, preference.name, preference)
    return _shown(cloud, preference)


@service.method("GetQuotaPreference")
def get_quota_preference(request: Any, cloud: Cloud) -> Message:
    return _shown(cloud, cloud.store.require(_PREFERENCES, cloud.canonical(request.name)))


@service.method("ListQuotaPreferences")
def list_quota_preferences(request: Any, cloud: Cloud) -> Message:
    preferences = [_shown(cloud, one) for one in cloud.store.list(_PREFERENCES, _parent(request.parent, cloud))]
    chosen, token = page(preferences, request)
    return ListQuotaPreferencesResponse.pb()(quota_preferences=chosen, next_page_token=token)


@service.method("UpdateQuotaPreference")
def update_quota_preference(request: Any, cloud: Cloud) -> Message:
    """Changes only the preferred value and its justification. `validate_only` changes nothing."""
    wanted = request.quota_preference
    name = cloud.canonical(wanted.name)
    with cloud.store.transaction():
        preference = cloud.store.require(_PREFERENCES, name)
        if wanted.etag and wanted.etag != preference.etag:
            raise ApiError("ABORTED", "The etag does not match: the quota preference was changed since it was read.")
        for field in ("service", "quota_id"):
            if getattr(wanted, field) not in ("", getattr(preference, field)):
                raise ApiError("INVALID_ARGUMENT", f"{field} of a quota preference cannot change.")
        preference.quota_config.preferred_value = wanted.quota_config.preferred_value
        preference.justification = wanted.justification or preference.justification
        _ask(cloud, preference, grants=not request.validate_only)
        if not request.validate_only:
            cloud.store.put(_PREFERENCES, name, preference)
    return _shown(cloud, preference)


def _ask(cloud: Cloud, preference: Any, *, grants: bool = True) -> None:
    """Raises ApiError INVALID_ARGUMENT for a preference that cannot be granted."""
    if preference.service != catalogue().service or preference.quota_id not in catalogue().quotas:
        raise ApiError("INVALID_ARGUMENT", f"{preference.service} has no quota {preference.quota_id!r} here.")
    region = preference.dimensions.get("region", "")
    if set(preference.dimensions) != {"region"} or region not in catalogue().locations:
        raise ApiError("INVALID_ARGUMENT", f"The dimensions have to name a region; got {dict(preference.dimensions)}.")
    asked, project = preference.quota_config.preferred_value, preference.name.split("/")[1]
    if asked < 0:
        raise ApiError("INVALID_ARGUMENT", f"A preferred value must not be negative; got {asked}.")
    preference.etag = cloud.ids.hex(16)
    preference.update_time.CopyFrom(cloud.timestamp())
    if grants and asked <= quota_limit(cloud, project, region, preference.quota_id):
        set_quota_limit(cloud, project, region, preference.quota_id, asked)


def _shown(cloud: Cloud, preference: Any) -> Any:
    """The preference with the present grant, and without the contact's address, which is input only."""
    answered = QuotaPreference.pb()()
    answered.CopyFrom(preference)
    answered.ClearField("contact_email")
    project, region = preference.name.split("/")[1], preference.dimensions["region"]
    granted = quota_limit(cloud, project, region, preference.quota_id)
    answered.quota_config.granted_value.value = granted
    answered.reconciling = granted < preference.quota_config.preferred_value
    return answered


def _parent(name: str, cloud: Cloud) -> str:
    if not _PARENT.fullmatch(name):
        raise ApiError("INVALID_ARGUMENT", f"{name!r} is not of the form projects/PROJECT/locations/global.")
    return cloud.canonical(name)
