"""Scripts of a client, before and after the restart of a local cloud."""

import os
import subprocess
import sys
from pathlib import Path

from localcloud.daemon import Connection

# Clients read the environment once a process, so every daemon is asked by a process of its own.
CLIENT = """
import sys, time
sys.path.insert(0, {directory!r})
from echo_deployments import ECHO_IMAGE, Clients, create_endpoint, deployed_model, upload_echo
from google.api_core.exceptions import ServiceUnavailable
from google.cloud import aiplatform_v1beta1

clients = Clients(aiplatform_v1beta1, "grpc")
parent = "projects/restart/locations/us-central1"
"""
DEPLOY = """
endpoint = create_endpoint(clients, parent)
model = upload_echo(clients, ECHO_IMAGE, parent)
operation = clients.endpoints.deploy_model(
    endpoint=endpoint.name, deployed_model=deployed_model(model), traffic_split={"0": 100}
)
operation.result(timeout=600)
waiting = create_endpoint(clients, parent)
never = upload_echo(clients, ECHO_IMAGE, parent, UNHEALTHY="1")
clients.endpoints.deploy_model(endpoint=waiting.name, deployed_model=deployed_model(never))
print(endpoint.name)
"""
ASK = """
(waiting, endpoint) = clients.endpoints.list_endpoints(parent=parent)
for _ in range(600):
    try:
        answer = clients.predictions.predict(endpoint=endpoint.name, instances=[{"prompt": "again"}])
        break
    except ServiceUnavailable:
        time.sleep(0.1)
print(dict(answer.predictions[0])["from"], len(waiting.deployed_models))
clients.endpoints.delete_endpoint(name=waiting.name).result()
"""


def run(script: str, connection: Connection) -> str:
    done = subprocess.run(
        [sys.executable, "-c", CLIENT.replace("{directory!r}", repr(str(Path(__file__).parent))) + script],
        env={**os.environ, **connection.environment},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.strip()
