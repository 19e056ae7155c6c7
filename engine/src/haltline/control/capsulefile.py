"""Capsule files: written in one pass under the digest of their content, and read only if they are what was written.

A file from somebody else is outside data: names, sizes, digests, the hash chain and the version are checked before
anything of it is used.
"""

import hashlib
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

import msgspec

from haltline.control.basis import Basis
from haltline.control.capsule import (
    BASIS,
    EXPLANATION,
    FORMAT,
    MANIFEST,
    MESSAGES,
    RECORDS,
    RULES,
    SNAPSHOT,
    SUFFIX,
    VERSION,
    CapsuleDamaged,
    CapsuleNewer,
    HoldsSecret,
    Line,
    Manifest,
    NotACapsule,
    Part,
)
from haltline.journal.chain import digest_of
from haltline.journal.record import Record

_EPOCH = (1980, 1, 1, 0, 0, 0)
_CHUNK = 1 << 20
_MOST_PARTS = 1000
_LARGEST_MANIFEST = 1 << 20
_LARGEST_PART = 1 << 29
_KNOWN = frozenset({BASIS, SNAPSHOT, RECORDS, EXPLANATION, MESSAGES})
_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, RuntimeError, struct.error, ValueError,
)  # fmt: skip
_LINES = msgspec.json.Decoder(Line)


class _Head(msgspec.Struct):
    """The first thing read of a manifest: what every version has."""

    format: str
    version: int


class CapsuleWriter:
    """Writes the parts of one capsule into a folder; nothing is left behind if it is not finished.

    `secrets` are texts that must not get in: a part that holds one raises HoldsSecret.
    """

    def __init__(self, folder: Path, stem: str, *, secrets: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._stem = stem
        self._draft = folder / f".{stem}.{os.getpid()}.draft"
        self._needles = needles(secrets)
        self._parts: dict[str, Part] = {}
        self._zip = zipfile.ZipFile(self._draft, "w", zipfile.ZIP_DEFLATED, compresslevel=6)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._zip.close()
        self._draft.unlink(missing_ok=True)

    @contextmanager
    def part(self, name: str) -> Iterator[Callable[[bytes], None]]:
        """Write one part piece by piece."""
        digest, size = hashlib.sha256(), 0

        def write(piece: bytes) -> None:
            nonlocal size
            self._refuse_secrets(name, piece)
            digest.update(piece)
            size += len(piece)
            sink.write(piece)

        with self._zip.open(_info(name), "w", force_zip64=True) as sink:
            yield write
        self._parts[name] = Part(sha256=digest.hexdigest(), size=size)

    def put(self, name: str, content: bytes) -> None:
        """Write one part."""
        with self.part(name) as write:
            write(content)

    def finish(self, manifest: Manifest) -> tuple[Path, Manifest]:
        """Add the manifest and give the file its name, which carries the digest of its content; returns both."""
        complete = msgspec.structs.replace(manifest, parts=self._parts)
        content = msgspec.json.format(msgspec.json.encode(complete), indent=1)
        self._refuse_secrets(MANIFEST, content)
        with self._zip.open(_info(MANIFEST), "w") as sink:
            sink.write(content)
        self._zip.close()
        with self._draft.open("rb") as written:
            digest = hashlib.file_digest(written, "sha256").hexdigest()
        path = self._folder / f"{self._stem}-{digest}{SUFFIX}"
        self._draft.replace(path)
        return path, complete

    def _refuse_secrets(self, name: str, piece: bytes) -> None:
        if any(needle in piece for needle in self._needles):
            what = f"{name} would hold a value that the set-up keeps secret"
            raise HoldsSecret(what, "take it out of labels, titles and rules, or keep the journal itself as evidence")


class Capsule:
    """An opened capsule whose parts are what was written. `records` reads the slice again from the file each time."""

    def __init__(self, path: Path) -> None:
        """Open and verify; raises NotACapsule, CapsuleDamaged, CapsuleNewer, or OSError."""
        self.path = path
        self.name_is_kept = _verify_name(path)
        self._zip = _open_zip(path)
        try:
            self.manifest = self._read_manifest()
            self._verify_parts()
            self.basis: Basis = self._decode(BASIS, Basis)
            self.head = self._verify_chain()
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._zip.close()

    @property
    def snapshot(self) -> bytes | None:
        """The kernel just before; None where the slice begins with a beginning."""
        return self.read(SNAPSHOT) if SNAPSHOT in self.manifest.parts else None

    def read(self, name: str) -> bytes:
        """One part as it is; empty if the capsule has none of that name."""
        return self._zip.read(name) if name in self.manifest.parts else b""

    def rule_texts(self) -> dict[str, str]:
        """The rule files by name."""
        names = [name for name in self.manifest.parts if name.startswith(RULES)]
        return {name.removeprefix(RULES): self.read(name).decode() for name in names}

    def records(self) -> Iterator[Record]:
        """The slice of the journal, in order."""
        for line in self._lines():
            yield Record(line.seq, line.kind, line.at, bytes(line.body), bytes.fromhex(line.digest))

    def _lines(self) -> Iterator[Line]:
        with self._reading(RECORDS), self._zip.open(RECORDS) as stream:
            while text := stream.readline(_LARGEST_PART):
                yield _LINES.decode(text)

    def _read_manifest(self) -> Manifest:
        with self._reading(MANIFEST):
            infos = self._zip.infolist()
            names = [info.filename for info in infos]
            if MANIFEST not in names:
                raise NotACapsule(f"{self.path}: this file is not a capsule", "name a file that 'capsule make' wrote")
            if len(names) > _MOST_PARTS or self._zip.getinfo(MANIFEST).file_size > _LARGEST_MANIFEST:
                raise ValueError("its list of parts is too long")
            raw = self._zip.read(MANIFEST)
            head = msgspec.json.decode(raw, type=_Head)
            if head.format != FORMAT:
                raise NotACapsule(f"{self.path}: this file is not a capsule", "name a file that 'capsule make' wrote")
            if head.version > VERSION:
                what = f"{self.path}: the capsule has format {head.version}, this haltline reads {VERSION}"
                raise CapsuleNewer(what, "update haltline")
            manifest = msgspec.json.decode(raw, type=Manifest)
            extra = set(names) - set(manifest.parts) - {MANIFEST}
            if extra or len(names) != len(set(names)):
                raise ValueError("it has parts that the manifest does not list")
            return manifest

    def _verify_parts(self) -> None:
        with self._reading("parts"):
            for name, part in self.manifest.parts.items():
                if name not in _KNOWN and not _is_rule_file(name):
                    raise ValueError(f"{name!r} is no part of a capsule")
                if self._zip.getinfo(name).file_size != part.size or (name != RECORDS and part.size > _LARGEST_PART):
                    raise ValueError(f"{name} is not of the size that the manifest says")
                with self._zip.open(name) as stream:
                    if _digest(stream) != part.sha256:
                        raise ValueError(f"{name} was changed after it was written")

    def _verify_chain(self) -> str:
        """The digest of the last record; the records must be those between first and last, each chained to the next."""
        journal = self.manifest.journal
        with self._reading(RECORDS):
            previous, seq = bytes.fromhex(journal.before), journal.first - 1
            for line in self._lines():
                seq += 1
                found = bytes.fromhex(line.digest)
                if line.seq != seq:
                    raise ValueError(f"record {seq} is missing")
                if not line.hidden and digest_of(previous, seq, line.kind, line.at, bytes(line.body)) != found:
                    raise ValueError(f"record {seq} does not fit the hash chain")
                previous = found
            if seq != journal.last:
                raise ValueError(f"the records after {seq} are missing")
        return previous.hex()

    def _decode[T](self, name: str, kind: type[T]) -> T:
        with self._reading(name):
            return msgspec.json.decode(self._zip.read(name), type=kind)

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        """Whatever goes wrong in here means that the file is not what was written."""
        try:
            yield
        except _UNREADABLE as error:
            reason = str(error).strip("'\"") or type(error).__name__
            raise _damaged(self.path, f"{name}: {reason}") from error


def needles(secrets: Sequence[str]) -> tuple[bytes, ...]:
    """The secrets as they may stand in a file: as they are, and as JSON writes them."""
    found: dict[bytes, None] = {}
    for secret in secrets:
        found[secret.encode()] = None
        found[msgspec.json.encode(str(secret))[1:-1]] = None
    return tuple(found)


def _is_rule_file(name: str) -> bool:
    """Whether the name is that of a plain file among the rules, which may be written to a folder."""
    rest = name.removeprefix(RULES)
    return name.startswith(RULES) and rest not in ("", ".", "..") and not set(rest) & set("/\\:\0")


def _info(name: str) -> zipfile.ZipInfo:
    """The same content gives the same bytes, so there is no time of writing."""
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3
    info.external_attr = 0o644 << 16
    return info


def _digest(stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := stream.read(_CHUNK):
        digest.update(piece)
    return digest.hexdigest()


def _verify_name(path: Path) -> bool:
    """Whether the name still carries a digest; raises CapsuleDamaged where it is not that of the content."""
    named = path.name.removesuffix(SUFFIX).rpartition("-")[2]
    if len(named) != 64 or not set(named) <= set("0123456789abcdef"):
        return False
    with path.open("rb") as stream:
        if _digest(stream) != named:
            raise _damaged(path, "its content does not have the digest that its name carries")
    return True


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except _UNREADABLE as error:
        with path.open("rb") as stream:
            begins_well = stream.read(4) == b"PK\x03\x04"
        if begins_well:
            raise _damaged(path, "its end is missing") from error
        raise NotACapsule(f"{path}: this file is not a capsule", "name a file that 'capsule make' wrote") from error


def _damaged(path: Path, reason: str) -> CapsuleDamaged:
    return CapsuleDamaged(f"{path}: the capsule is damaged or was changed: {reason}", "get the original file again")
