"""Kinds of JPEG, PNG and WebP that cameras, programs and bad lines make: the face in each is the one in the plain picture."""

import io
import struct
import zlib

import pytest
from PIL import Image

import pictures
from server import Server
from test_odd_pictures import jpeg, png, portrait


def segments(data: bytes) -> list[tuple[int, int, int]]:
    """(marker, start, end) of the segments up to the first scan's header."""
    at, found = 2, []
    while not found or found[-1][0] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        found.append((data[at + 1], at, end))
        at = end
    return found


def without(data: bytes, marker: int) -> bytes:
    parts = segments(data)
    return data[:2] + b"".join(data[a:b] for m, a, b in parts if m != marker) + data[parts[-1][2] :]


def height_later(data: bytes) -> bytes:
    """The height is in a segment DNL after the scan."""
    (start,) = (a for m, a, _ in segments(data) if m == 0xC0)
    height = data[start + 5 : start + 7]
    return data[: start + 5] + b"\0\0" + data[start + 7 : -2] + b"\xff\xdc\0\4" + height + b"\xff\xd9"


def one_id(data: bytes) -> bytes:
    """The fourth component has the first one's id."""
    twice = bytearray(data)
    for marker, start, _ in segments(data):
        if marker == 0xC0:
            twice[start + 19] = twice[start + 10]
        if marker == 0xDA:
            twice[start + 11] = twice[start + 5]
    return bytes(twice)


def tiff(kind: int, orientation: int) -> bytes:
    value = {1: ">Bxxx", 3: ">Hxx", 4: ">I"}[kind]
    return b"MM\0*" + struct.pack(">IHHHI", 8, 1, 0x112, kind, 1) + struct.pack(value, orientation) + bytes(4)


def lying(encode=jpeg) -> bytes:
    return encode(portrait().transpose(Image.Transpose.ROTATE_90))


def turned(kind: int) -> bytes:
    body = b"Exif\0\0" + tiff(kind, 6)
    data = lying()
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


def turned_png() -> bytes:
    data, body = lying(png), tiff(3, 6)
    chunk = b"eXIf" + body
    return data[:33] + struct.pack(">I", len(body)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]


KINDS = {
    "motion JPEG's frame without tables": lambda: without(jpeg(portrait(), subsampling=1), 0xC4),
    "progressive": lambda: jpeg(portrait(), progressive=True),
    "ink": lambda: jpeg(portrait().convert("CMYK")),
    "ink without Adobe's segment": lambda: without(jpeg(portrait().convert("CMYK")), 0xEE),
    "ink with one id twice": lambda: one_id(jpeg(portrait().convert("CMYK"))),
    "height after the scan": lambda: height_later(jpeg(portrait())),
    "no end": lambda: jpeg(portrait())[:-2],
    "no end, and other bytes": lambda: jpeg(portrait())[:-2] + bytes(512),
    "the last rows are missing": lambda: jpeg(portrait())[:-300],
    "the last refinement is missing": lambda: jpeg(portrait(), progressive=True)[:-1000],
    "PNG without IEND": lambda: png(portrait())[:-12],
    "PNG without its last rows": lambda: png(portrait())[:-2000],
    "EXIF, SHORT": lambda: turned(3),
    "EXIF, LONG": lambda: turned(4),
    "EXIF, BYTE": lambda: turned(1),
    "PNG with eXIf": turned_png,
}


@pytest.mark.parametrize("kind", KINDS)
def test_kind(client, kind):
    (match,) = client.compare_faces(SourceImage={"Bytes": jpeg(portrait())}, TargetImage={"Bytes": KINDS[kind]()})["FaceMatches"]
    assert match["Similarity"] > 99
    whole, box = client.detect_faces(Image={"Bytes": jpeg(portrait())})["FaceDetails"][0]["BoundingBox"], match["Face"]["BoundingBox"]
    assert all(abs(box[side] - whole[side]) < 0.05 for side in whole)


@pytest.mark.parametrize("data", [lambda: jpeg(portrait())[:6000], lambda: png(portrait())[:30_000]], ids=["JPEG", "PNG"])
def test_cut_within_the_face(client, data):
    """What is cut off within its face is refused: an answer would be of a part that was made up."""
    with pytest.raises(client.exceptions.InvalidImageFormatException):
        client.detect_faces(Image={"Bytes": data()})


def webp(img: Image.Image) -> bytes:
    out = io.BytesIO()
    img.save(out, "WEBP", quality=92)
    return out.getvalue()


def test_webp_is_named(client):
    with pytest.raises(client.exceptions.InvalidImageFormatException, match="it is a WebP picture. Save it as JPEG or PNG, or start the server with --formats webp"):
        client.detect_faces(Image={"Bytes": webp(portrait())})


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)


def test_heic_is_named(client):
    with pytest.raises(client.exceptions.InvalidImageFormatException, match="it is a HEIC picture. Save it as JPEG or PNG."):
        client.detect_faces(Image={"Bytes": HEIC})


def test_webp_with_formats(tmp_path):
    server = Server(tmp_path / "data", "--formats", "webp").start()
    try:
        client = server.client()
        (match,) = client.compare_faces(SourceImage={"Bytes": jpeg(portrait())}, TargetImage={"Bytes": webp(portrait())})["FaceMatches"]
        assert match["Similarity"] > 99
    finally:
        server.stop()
