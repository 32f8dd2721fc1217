"""The bill of materials of a mirrored model, CycloneDX 1.6: the model, its licence, its origin, and every file. Pure.

The same files and licence always give the same bytes: two mirrors at once write the same object.
"""

import json
import uuid
from collections.abc import Sequence

from vertex_vllm.mirror.manifest import MirroredFile
from vertex_vllm.model.card_licence import CardLicence

_HUB = "https://huggingface.co"
# Model cards on the Hub: the file of this name at the top of the repository. A mirror copies no README.
_CARD = "README.md"


def bill_of_materials(model_id: str, commit: str, files: Sequence[MirroredFile], licence: CardLicence) -> str:
    """The bill as JSON, with a line break at its end."""
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6
    from packageurl import PackageURL

    owner, _, name = model_id.partition("/")
    address = f"{_HUB}/{model_id}/tree/{commit}"
    card = f"{_HUB}/{model_id}/blob/{commit}/{_CARD}"
    references = [
        ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(address)),
        ExternalReference(type=ExternalReferenceType.MODEL_CARD, url=XsUri(card)),
    ]
    if licence.link:
        link = licence.link if "://" in licence.link else f"{_HUB}/{model_id}/blob/{commit}/{licence.link}"
        references.append(ExternalReference(type=ExternalReferenceType.LICENSE, url=XsUri(link)))
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, address))
    model = Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        group=owner,
        name=name,
        version=commit,
        bom_ref="model",
        # "huggingface" in the purl specification: the version is the commit, in lower case.
        purl=PackageURL("huggingface", owner, name, commit),
        licenses=[LicenseFactory().make_from_string(each) for each in licence.names],
        external_references=references,
    )
    bom.metadata.component = model
    bom.components = [
        Component(
            type=ComponentType.FILE,
            name=file.path,
            # Apart from the model's own.
            bom_ref=f"file:{file.path}",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=file.sha256)],
        )
        for file in files
    ]
    bom.register_dependency(model, bom.components)
    fields = json.loads(JsonV1Dot6(bom).output_as_string())
    # Written by the library in any case: the time of this call.
    del fields["metadata"]["timestamp"]
    return json.dumps(fields, indent=2, sort_keys=True) + "\n"
