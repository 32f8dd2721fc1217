"""The end of a mirror: writes its bill of materials, its signature, and last the manifest, which completes it."""

from dataclasses import replace

from vertex_vllm.errors import MirrorError
from vertex_vllm.mirror.bill_of_materials import bill_of_materials
from vertex_vllm.mirror.bucket import MirrorBucket
from vertex_vllm.mirror.checksums import as_base64, extend_crc32c
from vertex_vllm.mirror.manifest import Manifest, is_whole
from vertex_vllm.mirror.own_objects import BILL_OF_MATERIALS_NAME, SIGNATURE_NAME
from vertex_vllm.mirror.rehashing import still_holds
from vertex_vllm.mirror.signed_mirror import read_signed, sign_mirror
from vertex_vllm.mirror.signing_keys import SigningKey
from vertex_vllm.mirror.stored_objects import StoredObject
from vertex_vllm.model.card_licence import NO_LICENCE, CardLicence

_TRIES = 5


def publish(
    manifest: Manifest,
    bucket: MirrorBucket,
    generation: int,
    licence: CardLicence = NO_LICENCE,
    signing: SigningKey | None = None,
) -> Manifest:
    """Replaces the manifest of `generation`, unless another mirror has meanwhile published a valid one.

    Returns the manifest that is published in the end, signed where a key is given. Raises MirrorError when objects
    change while it tries.
    """
    bill = bill_of_materials(manifest.model_id, manifest.commit, manifest.files, licence)
    for _ in range(_TRIES):
        objects = bucket.objects()
        current = _as_it_lies(manifest, bucket, objects)
        _write_bill(bill, bucket, objects.get(BILL_OF_MATERIALS_NAME))
        if signing is not None:
            sign_mirror(current, bill, bucket, signing)
        elif SIGNATURE_NAME in objects:
            # An older signature would belong to another manifest.
            bucket.delete_own(SIGNATURE_NAME)
        if bucket.write_manifest(current, generation) and _is_signed(bucket, signing):
            return current
        theirs, generation = bucket.read_manifest()
        holds = theirs is not None and theirs.commit == manifest.commit and is_whole(theirs, bucket.objects())
        if theirs is not None and holds and _is_signed(bucket, signing):
            return theirs
    raise MirrorError("somebody else keeps replacing the manifest", where=bucket.uri, fix="Stop the other mirror.")


def _is_signed(bucket: MirrorBucket, signing: SigningKey | None) -> bool:
    """False if a concurrent mirror has written a signature, bill or manifest that does not fit the others.

    True where no signature is asked for.
    """
    if signing is None:
        return True
    try:
        read_signed(bucket, signing)
    except MirrorError:
        return False
    return True


def _write_bill(bill: str, bucket: MirrorBucket, stored: StoredObject | None) -> None:
    """Writes the bill, unless the bucket has it: a bucket may refuse to replace objects."""
    data = bill.encode()
    if stored is None or (stored.size, stored.crc32c) != (len(data), as_base64(extend_crc32c(data))):
        bucket.write_own(BILL_OF_MATERIALS_NAME, bill)


def _as_it_lies(manifest: Manifest, bucket: MirrorBucket, objects: dict[str, StoredObject]) -> Manifest:
    """The manifest with the present generations: a concurrent mirror may have written the same bytes again.

    An object of another generation is hashed: anybody who chooses its bytes chooses their CRC32C, too.
    """
    files = []
    for file in manifest.files:
        stored = objects.get(file.path)
        if stored is None or (stored.size, stored.crc32c) != (file.size, file.crc32c):
            raise MirrorError(
                "was changed or deleted while mirroring", where=f"{manifest.uri}/{file.path}", path=file.path
            )
        if stored.generation != file.generation and not still_holds(file, stored, bucket):
            raise MirrorError("was changed while mirroring", where=f"{manifest.uri}/{file.path}", path=file.path)
        files.append(replace(file, generation=stored.generation))
    return replace(manifest, files=tuple(files))
