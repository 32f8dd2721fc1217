"""Vertex ML Metadata as its own client sees it."""

from collections.abc import Iterator
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import aiplatform_v1 as vertex
from google.oauth2.credentials import Credentials

from localcloud.daemon import Connection
from tests.accounts import grant, make_account

REGION = "us-central1"
Client = vertex.MetadataServiceClient
OPTIONS = {"api_endpoint": f"{REGION}-aiplatform.googleapis.com"}
EXPERIMENT, RUN = "system.Experiment", "system.ExperimentRun"


@pytest.fixture(params=["grpc", pytest.param("rest", marks=pytest.mark.slow)])
def client(request: pytest.FixtureRequest, cloud: Connection) -> Iterator[Client]:
    with Client(transport=request.param, client_options=OPTIONS) as made:
        yield made


@pytest.fixture
def parent(project: str) -> str:
    return f"projects/{project}/locations/{REGION}"


@pytest.fixture
def store(client: Client, parent: str) -> str:
    made = client.create_metadata_store(parent=parent, metadata_store={}, metadata_store_id="default")
    return str(made.result().name)


def context(client: Client, store: str, identity: str, schema: str = EXPERIMENT, **fields: Any) -> vertex.Context:
    given = {"schema_title": schema, "schema_version": "0.0.1", "display_name": identity, **fields}
    return client.create_context(parent=store, context=given, context_id=identity)


def ids(nodes: Any) -> list[str]:
    return [node.name.rpartition("/")[2] for node in nodes]


def test_a_store_is_missing_until_it_is_created_and_holds_nothing_when_it_is_deleted(
    client: Client, parent: str
) -> None:
    name = f"{parent}/metadataStores/default"
    with pytest.raises(exceptions.NotFound, match="Requested Metadata Store default not found"):
        client.get_metadata_store(name=name)
    with pytest.raises(exceptions.NotFound, match="Requested Metadata Store default not found"):
        context(client, name, "an-experiment")

    made = client.create_metadata_store(
        parent=parent, metadata_store={"description": "ours"}, metadata_store_id="default"
    ).result()
    found = client.get_metadata_store(name=name)
    assert (found.name, found.description, found.state.disk_utilization_bytes) == (made.name, "ours", 1)
    assert [each.name for each in client.list_metadata_stores(parent=parent)] == [made.name]
    with pytest.raises(exceptions.Conflict):
        client.create_metadata_store(parent=parent, metadata_store={}, metadata_store_id="default")

    context(client, name, "an-experiment")
    client.delete_metadata_store(name=name).result()
    client.create_metadata_store(parent=parent, metadata_store={}, metadata_store_id="default").result()
    assert list(client.list_contexts(parent=name)) == []


def test_a_store_with_a_key_is_refused_by_name(client: Client, parent: str) -> None:
    key = f"{parent}/keyRings/ring/cryptoKeys/key"
    with pytest.raises(exceptions.MethodNotImplemented, match="encryption_spec"):
        client.create_metadata_store(parent=parent, metadata_store={"encryption_spec": {"kms_key_name": key}})


def test_a_context_is_created_once_and_read_as_it_was_written(client: Client, store: str) -> None:
    made = context(client, store, "an-experiment", metadata={"experiment_deleted": False}, description="d")
    assert made == client.get_context(name=f"{store}/contexts/an-experiment")
    assert (dict(made.metadata), made.description) == ({"experiment_deleted": False}, "d")
    assert made.etag == str(int(made.update_time.timestamp() * 1000))
    with pytest.raises(exceptions.Conflict):
        context(client, store, "an-experiment")
    missing = f"{store}/contexts/another"
    told = f"Resource not found.; GetContext is unable to find context resource with name: {missing}"
    with pytest.raises(exceptions.NotFound, match=told):
        client.get_context(name=missing)


def test_blanks_around_keys_of_metadata_are_trimmed(client: Client, store: str) -> None:
    made = context(client, store, "an-experiment", metadata={" a ": 1, "b": {" c": 2}})
    assert dict(made.metadata) == {"a": 1, "b": {" c": 2}}
    changed = client.update_context(context={"name": made.name, "metadata": {"d ": 1}})
    assert dict(changed.metadata) == {"d": 1}


def test_an_update_replaces_what_it_gives_unless_the_node_was_changed_since(client: Client, store: str) -> None:
    old = context(client, store, "a-run-1", RUN, metadata={"_metrics": {"a": 1}, "_state": "RUNNING"})
    changed = client.update_context(context={"name": old.name, "metadata": {"_state": "COMPLETE"}})
    assert (dict(changed.metadata), changed.display_name) == ({"_state": "COMPLETE"}, "a-run-1")
    assert int(changed.etag) > int(old.etag)

    told = f"Specified Context `etag`: `{old.etag}` does not match server `etag`: `{changed.etag}`"
    with pytest.raises(exceptions.Conflict, match=told):
        client.update_context(context=old)
    missing = {"name": f"{store}/contexts/a-run-2", "schema_title": RUN}
    with pytest.raises(exceptions.NotFound, match="UpdateContext"):
        client.update_context(context=missing)
    made = client.update_context(request={"context": missing, "allow_missing": True})
    assert made.name == f"{store}/contexts/a-run-2"


@pytest.mark.parametrize(
    ("identity", "fields", "told"),
    [
        ("abc", {}, "4 to 128"),
        ("my_experiment", {}, "4 to 128"),
        ("x" * 129, {}, "4 to 128"),
        ("an-experiment", {"display_name": "x" * 129}, "Longer than 128"),
        ("an-experiment", {"schema_title": "mine.Experiment"}, "is not a schema here"),
        ("an-experiment", {"metadata": {"text": "x" * 200_001}}, "Larger than 200000 bytes"),
        ("an-experiment", {"labels": {"Key": "v"}}, "Invalid label key"),
        ("an-experiment", {"labels": {f"key-{n}": "v" for n in range(65)}}, "More than 64 labels"),
        ("an-experiment", {"schema_version": "1.0.0"}, "has no version `1.0.0` here"),
    ],
)
def test_what_a_context_may_not_be(client: Client, store: str, identity: str, fields: Any, told: str) -> None:
    with pytest.raises(exceptions.BadRequest, match=told):
        client.create_context(parent=store, context={"schema_title": EXPERIMENT, **fields}, context_id=identity)


def test_lists_answer_the_filters_of_the_sdk(client: Client, store: str) -> None:
    one, two = context(client, store, "one-experiment"), context(client, store, "two-experiment")
    runs = [context(client, store, f"run-{n}", RUN, metadata={"score": n, "kind": "x"}) for n in range(3)]
    client.add_context_children(context=one.name, child_contexts=[runs[0].name, runs[1].name])
    client.add_context_children(context=two.name, child_contexts=[runs[1].name])
    client.add_context_children(context=two.name, child_contexts=[runs[1].name])  # skipped

    def listed(text: str) -> list[str]:
        return ids(client.list_contexts(request={"parent": store, "filter": text}))

    in_one = f'parent_contexts:"{one.name}"'
    assert listed(f'schema_title="{RUN}" AND {in_one}') == ["run-0", "run-1"]
    assert listed(f'(schema_title="{RUN}" OR schema_title="system.PipelineRun") AND {in_one}') == ["run-0", "run-1"]
    assert listed(f'child_contexts:"{runs[1].name}"') == ["one-experiment", "two-experiment"]
    assert listed('metadata.score.number_value >= 1 AND metadata.kind.string_value = "x"') == ["run-1", "run-2"]
    assert listed("metadata.kind.number_value = 0") == []  # it is a text
    assert listed('create_time > "2020-11-19T11:30:00-04:00" AND schema_title="system.Experiment"') == [
        "one-experiment",
        "two-experiment",
    ]
    assert listed('display_name="run*"') == ["run-0", "run-1", "run-2"]
    assert list(client.get_context(name=runs[1].name).parent_contexts) == [one.name, two.name]
    pages = client.list_contexts(request={"parent": store, "page_size": 2, "order_by": "display_name desc"}).pages
    assert [ids(page.contexts) for page in pages] == [
        ["two-experiment", "run-2"],
        ["run-1", "run-0"],
        ["one-experiment"],
    ]
    token = client.list_contexts(request={"parent": store, "page_size": 2}).next_page_token
    assert ids(client.list_contexts(request={"parent": store, "page_token": token}))[0] == "run-0"
    with pytest.raises(exceptions.BadRequest, match="Invalid page token"):
        client.list_contexts(request={"parent": store, "page_token": token, "filter": in_one})
    parent = store.rpartition("/metadataStores/")[0]
    with pytest.raises(exceptions.BadRequest, match="page_size must be in range 1-1000"):
        client.list_metadata_stores(request={"parent": parent, "page_size": 1001})
    for refused in (
        *('etag="1"', f'in_context("{one.name}")', f'parent_contexts="{one.name}"', "metadata.score=1"),
        *('create_time > "2020-11-19"', 'create_time > "2020-11-19T11:30:00"', "metadata.number_value = 1"),
        *("metadata.a.b.number_value = 1", "(" * 6 + 'display_name="x"' + ")" * 6),
    ):
        with pytest.raises(exceptions.BadRequest, match="Invalid filter"):
            listed(refused)


def test_a_context_is_no_child_of_its_own_child(client: Client, store: str) -> None:
    one, two = context(client, store, "one-experiment"), context(client, store, "two-experiment")
    client.add_context_children(context=one.name, child_contexts=[two.name])
    with pytest.raises(exceptions.BadRequest, match="circle"):
        client.add_context_children(context=two.name, child_contexts=[one.name])
    client.delete_context(name=one.name).result()
    assert list(client.get_context(name=two.name).parent_contexts) == []


def test_nodes_of_another_store_are_no_members(client: Client, parent: str, store: str) -> None:
    other = client.create_metadata_store(parent=parent, metadata_store={}, metadata_store_id="other").result().name
    one, run = context(client, store, "one-experiment"), context(client, other, "a-run-1", RUN)
    model = client.create_artifact(parent=other, artifact={"schema_title": "system.Model"}, artifact_id="model").name
    step = client.create_execution(parent=other, execution={"schema_title": "system.Run"}, execution_id="step-1").name
    here = client.create_execution(parent=store, execution={"schema_title": "system.Run"}, execution_id="step-1").name
    with pytest.raises(exceptions.BadRequest, match="another MetadataStore"):
        client.add_context_children(context=one.name, child_contexts=[run.name])
    for members in ({"artifacts": [model]}, {"executions": [step]}):
        with pytest.raises(exceptions.BadRequest, match="another MetadataStore"):
            client.add_context_artifacts_and_executions(context=one.name, **members)
    with pytest.raises(exceptions.BadRequest, match="another MetadataStore"):
        client.add_execution_events(execution=here, events=[{"artifact": model, "type_": vertex.Event.Type.INPUT}])


def test_the_lineage_of_a_context(client: Client, store: str) -> None:
    run = context(client, store, "a-run-1", RUN)
    execution = client.create_execution(parent=store, execution={"schema_title": "system.Run"}, execution_id="step-1")
    made = [
        client.create_artifact(
            parent=store, artifact={"schema_title": "system.Model", "uri": f"gs://b/{name}"}, artifact_id=name
        )
        for name in ("read", "written", "else")
    ]
    events = [
        {"artifact": made[0].name, "type_": vertex.Event.Type.INPUT},
        {"artifact": made[1].name, "type_": vertex.Event.Type.OUTPUT},
    ]
    client.add_execution_events(execution=execution.name, events=events)
    client.add_execution_events(execution=execution.name, events=events)  # skipped
    members = {"artifacts": [made[0].name, made[1].name], "executions": [execution.name]}
    client.add_context_artifacts_and_executions(context=run.name, **members)

    graph = client.query_context_lineage_subgraph(context=run.name)
    assert (ids(graph.artifacts), ids(graph.executions)) == (["read", "written"], ["step-1"])
    assert [event.type_ for event in graph.events] == [vertex.Event.Type.INPUT, vertex.Event.Type.OUTPUT]
    assert client.query_execution_inputs_and_outputs(execution=execution.name) == graph
    found = client.list_artifacts(request={"parent": store, "filter": f'in_context("{run.name}")'})
    assert ids(found) == ["read", "written"]

    updated = client.update_execution(execution={"name": execution.name, "state": vertex.Execution.State.COMPLETE})
    assert updated.state == vertex.Execution.State.COMPLETE
    client.delete_artifact(name=made[0].name).result()
    assert ids(client.query_context_lineage_subgraph(context=run.name).artifacts) == ["written"]
    with pytest.raises(exceptions.BadRequest, match="etag"):
        client.delete_artifact(request={"name": made[1].name, "etag": "1"})


def test_methods_ask_for_their_permissions(cloud: Connection, project: str, store: str) -> None:
    account = make_account(project, "reader")
    grant(project, "roles/aiplatform.viewer", account)
    credentials = Credentials(cloud.access_token(account))
    with Client(credentials=credentials, client_options=OPTIONS) as reader:
        assert reader.get_metadata_store(name=store).name == store
        assert list(reader.list_contexts(parent=store)) == []
        with pytest.raises(exceptions.PermissionDenied, match=r"aiplatform\.contexts\.create"):
            context(reader, store, "an-experiment")
        with pytest.raises(exceptions.PermissionDenied, match=r"aiplatform\.metadataStores\.delete"):
            reader.delete_metadata_store(name=store)
