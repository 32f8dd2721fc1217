"""Resource names of Vertex ML Metadata, read strictly, and always with the project's number."""

import re
import uuid
from typing import Any

from google.cloud.aiplatform_v1beta1.types import MetadataStore

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.store import Kind
from localcloud.services.vertex.resource_names import read_location

STORES = Kind("metadata store", MetadataStore.pb())

# `CreateContextRequest.context_id`: "4-128 characters", of "[a-z][0-9]-"; the first is no hyphen, says the docstring of
# `aiplatform.init(experiment=…)`.
_ID = re.compile(r"[a-z0-9][a-z0-9-]{3,127}")


def new_id(given: str, field: str, cloud: Cloud) -> str:
    """The id that a request gives, else a UUID. Raises ApiError INVALID_ARGUMENT."""
    if not given:
        return str(uuid.UUID(cloud.ids.hex()))
    if _ID.fullmatch(given) is None:
        raise ApiError("INVALID_ARGUMENT", f'Invalid {field} "{given}": 4 to 128 of [a-z0-9-], no hyphen first.')
    return given


def read_store(name: str, cloud: Cloud) -> str:
    """Raises ApiError INVALID_ARGUMENT for another form, NOT_FOUND where there is no such store."""
    location, separator, store_id = name.partition("/metadataStores/")
    if not separator or not store_id or "/" in store_id:
        form = "projects/{project}/locations/{location}/metadataStores/{metadata_store}"
        raise ApiError("INVALID_ARGUMENT", f'Invalid MetadataStore name "{name}". Its form is {form}.')
    store = f"{read_location(location, cloud)}/metadataStores/{store_id}"
    if cloud.store.get(STORES, store) is None:
        # Recorded in 2025; for a region without experiments and pipelines: datahub-project/datahub#17660, 2026-06-01.
        raise ApiError("NOT_FOUND", f"Requested Metadata Store {store_id} not found")
    return store


def read_node(name: str, collection: str, cloud: Cloud) -> str:
    """The stored name of a context, execution or artifact, which may be missing. Raises as `read_store`."""
    store, _, rest = name.partition(f"/{collection}/")
    if not rest or "/" in rest:
        form = f"projects/{{project}}/locations/{{location}}/metadataStores/{{metadata_store}}/{collection}/{{id}}"
        raise ApiError("INVALID_ARGUMENT", f'Invalid resource name "{name}". Its form is {form}.')
    return f"{read_store(store, cloud)}/{collection}/{rest}"


def ensure_store(cloud: Cloud, store: str) -> Any:
    """The store of that stored name, made where it is missing: as the first pipeline of a region makes its default."""
    with cloud.store.transaction():
        found = cloud.store.get(STORES, store)
        if found is None:
            found = MetadataStore.pb()(name=store)
            found.create_time.CopyFrom(cloud.timestamp())
            found.update_time.CopyFrom(found.create_time)
            # A new store answers 1 (recorded in 2025).
            found.state.disk_utilization_bytes = 1
            cloud.store.put(STORES, store, found)
    return found
