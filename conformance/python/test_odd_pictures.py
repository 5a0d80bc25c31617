"""Pictures that are valid and odd: each gets an answer or the service's error, in bounded time and memory."""

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

import pictures

# The least of what DetectFaces says of a face.
DEFAULT = {"BoundingBox", "Confidence", "Landmarks", "Pose", "Quality"}


def portrait() -> Image.Image:
    """A picture of 250 x 250 with one face, in its middle."""
    return Image.open(io.BytesIO(pictures.lfw("Aaron_Guiel", 1)))


def jpeg(img: Image.Image, **options) -> bytes:
    b = io.BytesIO()
    img.save(b, "JPEG", **{"quality": 92} | options)
    return b.getvalue()


def png(img: Image.Image) -> bytes:
    b = io.BytesIO()
    img.save(b, "PNG")
    return b.getvalue()


def detect(client, picture: bytes) -> list:
    details = client.detect_faces(Image={"Bytes": picture})["FaceDetails"]
    for d in details:
        assert set(d) == DEFAULT
        box = d["BoundingBox"]
        assert box["Width"] > 0 and box["Height"] > 0
        # Some of the face is in the picture.
        assert box["Left"] < 1 and box["Top"] < 1 and box["Left"] + box["Width"] > 0 and box["Top"] + box["Height"] > 0
    return details


def pixels(box, width: int, height: int) -> tuple[int, int, int, int]:
    left, top = box["Left"] * width, box["Top"] * height
    return round(left), round(top), round(left + box["Width"] * width), round(top + box["Height"] * height)


def without_face(client, collection, picture: bytes):
    """What each operation says of a picture without a face."""
    assert detect(client, picture) == []
    image = {"Bytes": picture}
    indexed = client.index_faces(CollectionId=collection, Image=image)
    assert (indexed["FaceRecords"], indexed["UnindexedFaces"]) == ([], [])
    with pytest.raises(client.exceptions.InvalidParameterException, match="There are no faces in the image"):
        client.search_faces_by_image(CollectionId=collection, Image=image)
    for source, target in ((image, {"Bytes": jpeg(portrait())}), ({"Bytes": jpeg(portrait())}, image)):
        with pytest.raises(client.exceptions.InvalidParameterException):
            client.compare_faces(SourceImage=source, TargetImage=target)


@pytest.mark.parametrize("tone", ["black", "white"])
@pytest.mark.parametrize("encode", [jpeg, png])
@pytest.mark.parametrize("mode, size", [("RGB", (1920, 1080)), ("L", (250, 250)), ("1", (80, 80))])
def test_one_tone(client, collection, tone, encode, mode, size):
    without_face(client, collection, encode(Image.new(mode, size, tone)))


@pytest.mark.parametrize("encode", [jpeg, png])
@pytest.mark.parametrize("size", [(30_000, 1), (1, 30_000), (65_000, 79)])
def test_thin_strip(client, collection, encode, size):
    """A strip is a picture with a side that is too short, however long the other is."""
    strip = {"Bytes": encode(Image.new("L", size, "white"))}
    good = {"Bytes": jpeg(portrait())}
    for call in (
        lambda: client.detect_faces(Image=strip),
        lambda: client.index_faces(CollectionId=collection, Image=strip),
        lambda: client.search_faces_by_image(CollectionId=collection, Image=strip),
        lambda: client.compare_faces(SourceImage=strip, TargetImage=good),
        lambda: client.compare_faces(SourceImage=good, TargetImage=strip),
    ):
        with pytest.raises(client.exceptions.InvalidParameterException):
            call()


@pytest.mark.parametrize("size", [(60_000, 80), (80, 60_000)])
def test_long_strip(client, collection, size):
    """One that is just wide enough is looked at; a face in it is found if it is not too small for its length."""
    strip = Image.new("RGB", size, "grey")
    without_face(client, collection, jpeg(strip))


@pytest.mark.parametrize("size", [(4_000, 250), (250, 4_000)])
def test_face_in_a_strip(client, size):
    strip = Image.new("RGB", size, "grey")
    at = ((size[0] - 250) * 2 // 3, (size[1] - 250) * 2 // 3)
    strip.paste(portrait(), at)
    (detail,) = detect(client, jpeg(strip))
    left, top, right, bottom = pixels(detail["BoundingBox"], *size)
    assert at[0] < left < at[0] + 125 < right < at[0] + 250
    assert at[1] < top < at[1] + 125 < bottom < at[1] + 250


@pytest.mark.parametrize("side", ["left", "top", "right", "bottom"])
def test_face_cut_by_the_edge(client, collection, side):
    """The further the edge cuts into a face, the less of it is found; what is found can be indexed and searched."""
    clean = {"Bytes": jpeg(portrait())}
    (whole,) = detect(client, clean["Bytes"])
    left, top, right, bottom = pixels(whole["BoundingBox"], 250, 250)
    for percent in (10, 20, 30, 50, 75):
        across, down = (right - left) * percent // 100, (bottom - top) * percent // 100
        part = {
            "left": (left + across, 0, 250, 250),
            "top": (0, top + down, 250, 250),
            "right": (0, 0, right - across, 250),
            "bottom": (0, 0, 250, bottom - down),
        }[side]
        picture = {"Bytes": jpeg(portrait().crop(part))}
        details = detect(client, picture["Bytes"])
        assert len(details) <= 1
        if percent <= 20:
            assert details, f"{percent} % cut off at the {side}: no face"
            similarity = client.compare_faces(SourceImage=clean, TargetImage=picture)["FaceMatches"][0]["Similarity"]
            assert similarity > 90
        indexed = client.index_faces(CollectionId=collection, Image=picture, QualityFilter="NONE")
        assert [r["FaceDetail"] for r in indexed["FaceRecords"]] == details and indexed["UnindexedFaces"] == []
        if details:
            found = client.search_faces_by_image(CollectionId=collection, Image=picture, FaceMatchThreshold=99)["FaceMatches"]
            assert indexed["FaceRecords"][0]["Face"]["FaceId"] in {m["Face"]["FaceId"] for m in found}


def test_upside_down(client):
    """A head that stands on its top is found, and told by its roll."""
    (detail,) = detect(client, jpeg(portrait().rotate(180)))
    left, top, right, bottom = pixels(detail["BoundingBox"], 250, 250)
    assert left < 125 < right and top < 125 < bottom


def crowd(columns: int, rows: int, side: int = 250) -> Image.Image:
    people = pictures.lfw_pictures(columns * rows)
    img = Image.new("RGB", (columns * side, rows * side))
    for i, person in enumerate(people):
        face = Image.open(io.BytesIO(person)).resize((side, side))
        img.paste(face, (i % columns * side, i // columns * side))
    return img


def test_a_hundred_faces(client, collection):
    """Of more than a hundred faces the hundred largest are found, and indexed, compared and searched like any."""
    image = {"Bytes": jpeg(crowd(12, 11))}
    details = detect(client, image["Bytes"])
    assert len(details) == 100
    areas = [d["BoundingBox"]["Width"] * d["BoundingBox"]["Height"] for d in details]
    assert areas == sorted(areas, reverse=True)

    few = client.index_faces(CollectionId=collection, Image=image, MaxFaces=30, QualityFilter="NONE")
    assert [r["FaceDetail"] for r in few["FaceRecords"]] == details[:30]
    assert [u["FaceDetail"] for u in few["UnindexedFaces"]] == details[30:]
    assert {tuple(u["Reasons"]) for u in few["UnindexedFaces"]} == {("EXCEEDS_MAX_FACES",)}

    every = client.index_faces(CollectionId=collection, Image=image, QualityFilter="NONE")
    assert [r["FaceDetail"] for r in every["FaceRecords"]] == details and every["UnindexedFaces"] == []
    assert client.describe_collection(CollectionId=collection)["FaceCount"] == 130

    compared = client.compare_faces(SourceImage=image, TargetImage=image, SimilarityThreshold=99.9)
    assert len(compared["FaceMatches"]) + len(compared["UnmatchedFaces"]) == 100
    assert compared["FaceMatches"][0]["Similarity"] == 100
    matches = client.search_faces_by_image(CollectionId=collection, Image=image, FaceMatchThreshold=99.9)["FaceMatches"]
    assert len(matches) >= 2  # the largest face, indexed twice


# 48 megapixels. What each encoding may take is what its header says, in bytes a pixel: see ARCHITECTURE.md, Limits.
HUGE = (8_000, 6_000)
HUGE_KINDS = {
    "baseline JPEG": (lambda img: jpeg(img, quality=75), 2),
    "progressive JPEG": (lambda img: jpeg(img, quality=75, progressive=True), 5),
    "PNG": (lambda img: png(img.convert("L")), 5),
}
BUDGET = 2 << 30  # bytes: what all pictures may take together
MARGIN = 160 << 20  # bytes: the networks' own memory, the request, and garbage that is not collected yet


@pytest.mark.parametrize("kind", HUGE_KINDS)
def test_huge_picture(own_server, kind):
    """A picture of 48 megapixels is answered in the memory that ARCHITECTURE.md promises, alone and in a crowd."""
    encode, bytes_a_pixel = HUGE_KINDS[kind]
    img = Image.new("RGB", HUGE, "grey")
    img.paste(portrait().resize((2_000, 2_000)), (4_000, 3_000))
    picture = encode(img)
    assert len(picture) < 5 << 20
    client = own_server.client(read_timeout=300, retries={"mode": "standard", "total_max_attempts": 10})
    client.detect_faces(Image={"Bytes": jpeg(portrait())})
    before = own_server.resident_peak()
    (detail,) = detect(client, picture)
    left, top, right, bottom = pixels(detail["BoundingBox"], *HUGE)
    assert 4_000 < left < 5_000 < right < 6_000 and 3_000 < top < 4_000 < bottom < 5_000
    alone = own_server.resident_peak() - before
    assert alone < HUGE[0] * HUGE[1] * bytes_a_pixel + MARGIN, f"{alone >> 20} MiB"

    with ThreadPoolExecutor(8) as pool:
        crowd = list(pool.map(lambda _: detect(client, picture), range(8)))
    assert all(found == [detail] for found in crowd)
    together = own_server.resident_peak() - before
    print(f"{kind}: {len(picture) >> 10} KiB, {alone >> 20} MiB alone, {together >> 20} MiB by eight at once")
    assert together < min(8 * HUGE[0] * HUGE[1] * bytes_a_pixel, BUDGET) + MARGIN, f"{together >> 20} MiB"
