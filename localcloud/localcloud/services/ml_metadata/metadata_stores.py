"""MetadataService: create, get, list and delete metadata stores."""

from typing import Any

from google.cloud.aiplatform_v1beta1.types import (
    CreateMetadataStoreOperationMetadata,
    DeleteOperationMetadata,
    ListMetadataStoresResponse,
    MetadataStore,
)
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.registration import Service
from localcloud.services.ml_metadata.metadata_edges import EVENTS, MEMBERS
from localcloud.services.ml_metadata.metadata_names import STORES, ensure_store, new_id, read_store
from localcloud.services.ml_metadata.metadata_nodes import NODES
from localcloud.services.ml_metadata.metadata_pages import metadata_page
from localcloud.services.vertex.resource_names import read_location

service = Service("google.cloud.aiplatform.v1beta1.MetadataService")


@service.method("CreateMetadataStore")
def create_metadata_store(request: Any, cloud: Cloud) -> Message:
    """Raises ApiError UNIMPLEMENTED for a key and for Dataplex: neither is carried out."""
    given, location = request.metadata_store, read_location(request.parent, cloud)
    name = f"{location}/metadataStores/{new_id(request.metadata_store_id, 'metadata_store_id', cloud)}"
    if given.encryption_spec.kms_key_name or given.dataplex_config.enabled_pipelines_lineage:
        raise ApiError(
            "UNIMPLEMENTED",
            "The local cloud does not carry out encryption_spec and dataplex_config of a metadata store.",
        )
    with cloud.store.transaction():
        if cloud.store.get(STORES, name) is not None:
            raise ApiError("ALREADY_EXISTS", f"MetadataStore {name} already exists.")
        ensure_store(cloud, name)
        with cloud.store.update(STORES, name) as stored:
            stored.description = given.description
    # The operation answers the name alone (recorded in 2025).
    answered = MetadataStore.pb()(name=name)
    metadata = CreateMetadataStoreOperationMetadata.pb()()
    return cloud.operations.finished(name, metadata=metadata, response=answered)


@service.method("GetMetadataStore")
def get_metadata_store(request: Any, cloud: Cloud) -> Message:
    return cloud.store.require(STORES, read_store(request.name, cloud))


@service.method("ListMetadataStores")
def list_metadata_stores(request: Any, cloud: Cloud) -> Message:
    stores = cloud.store.list(STORES, str(read_location(request.parent, cloud)))
    shown, token = metadata_page(stores, request)
    return ListMetadataStoresResponse.pb()(metadata_stores=shown, next_page_token=token)


@service.method("DeleteMetadataStore")
def delete_metadata_store(request: Any, cloud: Cloud) -> Message:
    """With everything in it."""
    name = read_store(request.name, cloud)
    with cloud.store.transaction():
        for kind in (*(node.kind for node in NODES), MEMBERS, EVENTS):
            for inner, _ in cloud.store.items(kind, name):
                cloud.store.delete(kind, inner)
        cloud.store.delete(STORES, name)
    return cloud.operations.finished(name, metadata=DeleteOperationMetadata.pb()(), response=Empty())
