"""Pictures: real ones of the test data beside the project, and PNG files made to order."""

import csv
import struct
import zlib
from pathlib import Path

import pytest

from server import ROOT

DATA = ROOT.parent / "shared" / "data"


def shared(*parts: str) -> Path:
    """A file of the test data. The test is skipped if the data is not there."""
    if not DATA.is_dir():
        pytest.skip(f"the test data is missing: {DATA}")
    return DATA.joinpath(*parts)


def group(name: str) -> bytes:
    return shared("group", name).read_bytes()


def group_counts() -> dict[str, int]:
    """How many faces there are in each of the pictures that this suite counts faces in."""
    if not DATA.is_dir():
        return {}
    with shared("group", "counts.csv").open(newline="") as f:
        return {row["file"]: int(row["faces"]) for row in csv.DictReader(f) if row["file"].startswith("cf_")}


def lfw(person: str, number: int) -> bytes:
    return shared("lfw", "images", person, f"{person}_{number:04}.jpg").read_bytes()


def lfw_pictures(count: int) -> list[bytes]:
    """Pictures of as many people, no two of the same person."""
    people = sorted(shared("lfw", "images").iterdir())[:count]
    assert len(people) == count
    return [min(person.glob("*.jpg")).read_bytes() for person in people]


def lfw_pairs() -> tuple[list[tuple[str, int, int]], list[tuple[str, int, str, int]]]:
    """The matched and the mismatched pairs of LFW's View 1 test list."""
    same, different = [], []
    for line in shared("lfw", "pairsDevTest.txt").read_text().splitlines()[1:]:
        match line.split():
            case [person, a, b]:
                same.append((person, int(a), int(b)))
            case [person, a, other, b]:
                different.append((person, int(a), other, int(b)))
    return same, different


def png(width: int, height: int, bits: int = 8, data: bytes | None = None) -> bytes:
    """A grey PNG of one tone, or one whose compressed data is the given, whatever its header says."""
    if data is None:
        row = b"\0" + b"\x7f" * ((width * bits + 7) // 8)
        compressor = zlib.compressobj(9)
        data = b"".join(compressor.compress(row) for _ in range(height)) + compressor.flush()

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
