"""Copies a large file: read in ranges, hashed in order, sent in parts, visible only when verified.

A copy can be interrupted at any moment. Parts that Cloud Storage lists are not sent again; bytes that the journal's
hash contains are not read again.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from vertex_vllm.errors import MirrorError, PlanError
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.hub.download import OnPiece, ignore_piece
from vertex_vllm.hub.file_listing import HubFile
from vertex_vllm.mirror.bucket import MirrorBucket
from vertex_vllm.mirror.checksums import as_base64, combine_crc32c, differs, extend_crc32c
from vertex_vllm.mirror.concurrency import AdaptiveLimit
from vertex_vllm.mirror.content_check import PassingContent, named
from vertex_vllm.mirror.journal import Journal
from vertex_vllm.mirror.manifest import MirroredFile
from vertex_vllm.mirror.multipart import MultipartUpload, PartOnItsWay, SentPart, UploadGoneError
from vertex_vllm.mirror.progress import FileMeter
from vertex_vllm.mirror.rehashing import prove
from vertex_vllm.mirror.sha256 import RunningHash, sha256
from vertex_vllm.mirror.transfer_options import Transfer
from vertex_vllm.mirror.window import Flow, Part, Window, ignore_begun, parts_of
from vertex_vllm.mirror.xet import FileReader

# How often a file is read from its start because other content arrived than is listed, and how often its upload is
# begun again because it vanished.
_PASSES = 3
_UPLOADS = 3


class LargeFiles:
    """Copies large files of one model; those under way share threads, memory and connections."""

    def __init__(self, reader: FileReader, bucket: MirrorBucket, transfer: Transfer, threads: Executor) -> None:
        """`threads`: for a file `transfer.connections` and one. Reader and bucket report throttling to `limit`."""
        self._reader, self._bucket, self._transfer, self._threads = reader, bucket, transfer, threads
        self.limit = AdaptiveLimit(transfer.connections, transfer.part_bytes)
        self._flow = Flow(self.limit, transfer.buffer_bytes)
        self._lock = threading.Lock()
        self.failure: BaseException | None = None
        """The error that ended all copies; their own errors may follow from it."""

    def copy(self, file: HubFile, meter: FileMeter, on_begun: Callable[[], None] = ignore_begun) -> MirroredFile:
        """Writes the object of `file`, unless another mirror just has. Safe to use from several threads at once.

        `on_begun` is called, perhaps several times, when its last range has been requested: the next file can begin.
        Raises MirrorError, with nothing published, when three times other content arrives than the Hub lists;
        HubAccessError and ServiceError as the services do; the next run then resumes.
        """
        for _ in range(_UPLOADS):
            try:
                return self._finish(file, self._begin_or_resume(file, meter), on_begun)
            except UploadGoneError:
                self._bucket.delete_journal(file.path)
                stored = self._bucket.look(file.path)
                if stored is not None and (published := prove(file, stored, self._bucket)) is not None:
                    meter.present(file.size)
                    return published
        raise MirrorError(
            "somebody else keeps ending its upload",
            where=f"{self._bucket.uri}/{file.path}",
            fix="Stop the other mirror.",
            path=file.path,
        )

    def _begin_or_resume(self, file: HubFile, meter: FileMeter) -> "_Copy":
        length = self._transfer.part_length(file.size)
        found, generation = self._bucket.read_journal(file.path)
        if found is None or not found.is_of(file.size, file.sha256, length):
            upload = self._bucket.begin(file)
            journal = Journal(upload.id, file.size, file.sha256, length)
            if self._bucket.write_journal(file.path, journal, generation):
                return _Copy(file, upload, journal, {}, meter)
            # Another mirror has begun it: two mirrors that send the same parts of one upload do no harm.
            upload.abort()
            found, _ = self._bucket.read_journal(file.path)
            if found is None or not found.is_of(file.size, file.sha256, length):
                raise UploadGoneError
        upload = self._bucket.upload(file, found.upload_id)
        return _Copy(file, upload, found, upload.parts(), meter)

    def _finish(self, file: HubFile, copy: "_Copy", on_begun: Callable[[], None]) -> MirroredFile:
        for _ in range(_PASSES):
            mismatch = self._pass(copy, on_begun)
            if not mismatch:
                self._check_content(copy)
                copy.upload.complete(copy.etags)
                return self._verified(file, copy)
            copy.begin_anew()
        copy.upload.abort()
        self._bucket.delete_journal(file.path)
        raise MirrorError(
            f"{mismatch}, {_PASSES} times; nothing of it was published",
            where=self._reader.where(file),
            fix="Try again; if it persists, the repository is damaged.",
            path=file.path,
        )

    def _check_content(self, copy: "_Copy") -> None:
        """Raises PlanError, with nothing published, where a file of that name cannot have this content."""
        try:
            with named(self._reader.where(copy.file), copy.file.path):
                copy.content.check(partial(self._read, copy.file))
        except PlanError:
            copy.upload.abort()
            self._bucket.delete_journal(copy.file.path)
            raise

    def _read(self, file: HubFile, start: int, length: int) -> bytes:
        data = bytearray(length)
        self._reader.read_into(memoryview(data), file, start)
        return bytes(data)

    def _pass(self, copy: "_Copy", on_begun: Callable[[], None]) -> str:
        """Reads the parts that are not hashed, sends those that are missing, and returns the hash's mismatch, or ""."""
        parts, hashing = copy.resume()

        def carry(part: Part, view: memoryview, has_read: Callable[[], None]) -> None:
            with self._broken_off(copy.file), copy.begun(part) as begun:
                crc32c = self._fetch(copy.file, part, view, begun.send if begun else ignore_piece)
                has_read()
                copy.send(part, view, crc32c, begun)

        noted = time.monotonic()
        window = Window(parts, self._flow)
        copy.content = content = PassingContent(copy.file, parts[0].start if parts else 0)

        def take_in(view: memoryview) -> None:
            content.update(view)
            hashing.update(view)

        with self._broken_off(copy.file):
            for part in window.run(self._threads, self._transfer.connections, carry, take_in, on_begun):
                if part is not parts[-1] and time.monotonic() - noted >= self._transfer.journal_seconds:
                    noted = time.monotonic()
                    self._bucket.note_journal(copy.file.path, copy.journal_at(part.end, hashing))
        return differs("SHA-256", hashing.hexdigest(), copy.file.sha256)

    def _fetch(self, file: HubFile, part: Part, view: memoryview, on_piece: OnPiece) -> int:
        crc32c = 0

        def take(piece: memoryview) -> None:
            nonlocal crc32c
            crc32c = extend_crc32c(piece, crc32c)
            on_piece(piece)
            self.limit.moved(len(piece))

        self._reader.read_into(view, file, part.start, take)
        return crc32c

    @contextmanager
    def _broken_off(self, file: HubFile) -> Iterator[None]:
        """On a failure that ends the copy, ends the transfers of all copies instead of waiting for them."""
        try:
            with google_errors("Cloud Storage", f"{self._bucket.uri}/{file.path}"):
                yield
        except UploadGoneError:
            raise
        except BaseException as error:
            with self._lock:
                self.failure = self.failure or error
            self._reader.close()
            self._bucket.break_off()
            raise

    def _verified(self, file: HubFile, copy: "_Copy") -> MirroredFile:
        """The finished object as an entry of the manifest. Raises MirrorError if it differs from the sent bytes."""
        stored = self._bucket.look(file.path)
        if stored is None or (stored.size, stored.crc32c) != (file.size, as_base64(copy.crc32c)):
            if stored is not None:
                self._bucket.delete(file.path, stored.generation)
            where = f"{self._bucket.uri}/{file.path}"
            raise MirrorError("the object in the bucket is not what was sent", where=where, path=file.path)
        if copy.was_resumed and prove(file, stored, self._bucket) is None:
            self._bucket.delete(file.path, stored.generation)
            raise MirrorError(
                "the parts that an earlier mirror sent are not those of the file",
                where=f"{self._bucket.uri}/{file.path}",
                fix="Find out who writes to the bucket, and mirror again.",
                path=file.path,
            )
        self._bucket.delete_journal(file.path)
        return MirroredFile(file.path, file.size, file.sha256, stored.crc32c, stored.generation)


class _Copy:
    """The parts of one upload: checksums, ETags, and the hash."""

    def __init__(
        self, file: HubFile, upload: MultipartUpload, journal: Journal, listed: dict[int, SentPart], meter: FileMeter
    ) -> None:
        self.file, self.upload = file, upload
        self.content = PassingContent(file, 0)
        self._journal, self._meter = journal, meter
        self._parts = parts_of(file.size, journal.part_bytes)
        self.etags = {
            part.number: listed[part.number].etag
            for part in self._parts
            if part.number in listed and listed[part.number].size == part.length
        }
        self._crc32c = {number: crc for number, crc in journal.crc32c.items() if number in self.etags}
        self.was_resumed = bool(self._crc32c)
        """Whether some parts are known from the journal alone, which anyone with write access may have written."""
        meter.present(sum(part.length for part in self._parts if part.number in self.etags))

    def resume(self) -> tuple[tuple[Part, ...], RunningHash]:
        """The parts still to be hashed, and the hash of those before them."""
        hashed = [part for part in self._parts if part.end <= self._journal.hashed]
        if all(part.number in self._crc32c for part in hashed):
            try:
                return self._parts[len(hashed) :], sha256(self._journal.state)
            except ValueError:
                pass  # The state is from another kind of machine.
        self._journal = self._journal.begun_anew()
        return self._parts, sha256()

    def begin_anew(self) -> None:
        """Starts the hash again; the checksums of sent parts are kept, to be compared with the bytes read again."""
        self._journal = self._journal.begun_anew()
        self._meter.retried()

    @contextmanager
    def begun(self, part: Part) -> Iterator[PartOnItsWay | None]:
        """A request that sends the part while it is read; None if the part already exists, which is compared first."""
        if part.number in self.etags:
            yield None
        else:
            with self.upload.begin_put(part.number, part.length) as begun:
                yield begun

    def send(self, part: Part, view: memoryview, crc32c: int, begun: PartOnItsWay | None) -> None:
        """Sends a part, unless Cloud Storage already has these bytes; `begun`: the request that sends it already."""
        if part.number in self.etags and self._lies_there(part.number, view, crc32c):
            self._crc32c[part.number] = crc32c
            return
        again = part.number in self.etags
        self.etags[part.number] = self.upload.put(part.number, view, crc32c, begun)
        self._crc32c[part.number] = crc32c
        if not again:
            self._meter.copied(part.length)

    def _lies_there(self, number: int, view: memoryview, crc32c: int) -> bool:
        if number in self._crc32c:
            return self._crc32c[number] == crc32c
        # Sent after the journal was last written, so only its ETag is known, the MD5. Any other ETag: it is sent again.
        return self.etags[number].strip('"') == hashlib.md5(view, usedforsecurity=False).hexdigest()

    def journal_at(self, hashed: int, hashing: RunningHash) -> Journal:
        """The journal when the hash has covered that many bytes."""
        state = hashing.state()
        return replace(self._journal, crc32c=dict(self._crc32c), hashed=hashed if state else 0, state=state)

    @property
    def crc32c(self) -> int:
        """CRC32C of the whole file, combined from those of its parts."""
        combined = 0
        for part in self._parts:
            combined = combine_crc32c(combined, self._crc32c[part.number], part.length)
        return combined
