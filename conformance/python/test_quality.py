"""What a picture is worth: how Brightness and Sharpness follow it, and what each QualityFilter makes of it."""

import io

import pytest
from PIL import Image, ImageFilter

import pictures

FILTERS = ["NONE", "AUTO", "LOW", "MEDIUM", "HIGH"]


def portrait(person="Aaron_Guiel") -> Image.Image:
    """A picture of 250 x 250 with one face, sharp, well lit and turned to the camera."""
    return Image.open(io.BytesIO(pictures.lfw(person, 1)))


def jpeg(img: Image.Image) -> bytes:
    b = io.BytesIO()
    img.save(b, "JPEG", quality=95)
    return b.getvalue()


def light(img: Image.Image, factor: float) -> Image.Image:
    return img.point(lambda v: min(round(v * factor), 255))


def blur(img: Image.Image, sigma: float) -> Image.Image:
    return img.filter(ImageFilter.GaussianBlur(sigma))


def small(img: Image.Image, side: float) -> Image.Image:
    """The picture, that small, in the middle of a grey one."""
    out = Image.new("RGB", img.size, "grey")
    side = round(side)
    out.paste(img.resize((side, side), Image.Resampling.LANCZOS), ((img.width - side) // 2, (img.height - side) // 2))
    return out


# Each way to spoil a picture, with steps from mild to severe, and the reason that it gives a filter.
STEPS = {
    "dark": (light, [1, 0.7, 0.5, 0.4, 0.3, 0.25, 0.2, 0.12, 0.08], "LOW_BRIGHTNESS"),
    "blurred": (blur, [0, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8], "LOW_SHARPNESS"),
    "small": (small, [250, 200, 160, 125, 100, 80, 64, 52, 44, 36, 30], "SMALL_BOUNDING_BOX"),
}


def spoilt(kind: str) -> list[bytes]:
    change, steps, _ = STEPS[kind]
    return [jpeg(change(portrait(), s)) for s in steps]


def quality(client, picture: bytes) -> dict | None:
    """The Quality of the face of a picture, None if none is found."""
    details = client.detect_faces(Image={"Bytes": picture})["FaceDetails"]
    assert len(details) <= 1
    return details[0]["Quality"] if details else None


def reasons(client, collection, picture: bytes, **options) -> list | None:
    """Why the face of a picture is not indexed; [] if it is, None if none is found."""
    answer = client.index_faces(CollectionId=collection, Image={"Bytes": picture}, **options)
    if answer["UnindexedFaces"]:
        (face,) = answer["UnindexedFaces"]
        assert answer["FaceRecords"] == []
        assert face["FaceDetail"]["BoundingBox"]["Width"] > 0
        assert face["Reasons"] and len(set(face["Reasons"])) == len(face["Reasons"])
        return face["Reasons"]
    return [] if answer["FaceRecords"] else None


def falls(values: list[float]) -> bool:
    return all(b < a for a, b in zip(values, values[1:]))


def test_brightness_follows_the_light(client):
    pictures_ = [jpeg(light(portrait(), f)) for f in (1.6, 1.4, 1.2, 1, 0.8, 0.6, 0.4)]
    rated = [quality(client, p) for p in pictures_]
    assert all(rated)
    assert falls([q["Brightness"] for q in rated])
    assert all(0 <= q["Brightness"] <= 100 and 0 <= q["Sharpness"] <= 100 for q in rated)
    # Half the light is not half as sharp.
    by_light = [q["Sharpness"] for q in rated[2:]]
    assert max(by_light) < 1.5 * min(by_light)


def test_sharpness_follows_the_focus(client):
    rated = [quality(client, jpeg(blur(portrait(), s))) for s in (0, 0.5, 1, 1.5, 2, 2.5, 3)]
    assert all(rated)
    assert falls([q["Sharpness"] for q in rated])
    bright = [q["Brightness"] for q in rated]
    assert max(bright) - min(bright) < 3


@pytest.mark.parametrize("kind", STEPS)
def test_filters_by_steps(client, collection, kind):
    """A filter that keeps a face out keeps out every worse one, and a stricter filter no later; NONE keeps out none."""
    _, steps, reason = STEPS[kind]
    kept_out = {}
    for name in FILTERS:
        told = [reasons(client, collection, p, QualityFilter=name) for p in spoilt(kind)]
        assert told[0] == [], f"{name} keeps the picture out as it is: {told[0]}"
        found = [r for r in told if r is not None]
        first = next((i for i, r in enumerate(found) if r), len(found))
        assert all(found[first:]), f"{name}: {list(zip(steps, told))}"
        # The strictest filter says what is wrong; others may find only that a spoilt face is hardly one.
        if name == "HIGH":
            assert any(reason in r for r in found[first:]), f"{name}: {found[first:]}"
        kept_out[name] = len(found) - first
    assert kept_out["NONE"] == 0
    assert kept_out["AUTO"] == kept_out["LOW"] <= kept_out["MEDIUM"] <= kept_out["HIGH"]
    assert kept_out["HIGH"] > 0, kept_out


def side_by_side(left: Image.Image, right: Image.Image) -> bytes:
    out = Image.new("RGB", (left.width + right.width, max(left.height, right.height)))
    out.paste(left, (0, 0))
    out.paste(right, (left.width, 0))
    return jpeg(out)


def test_a_poor_face_beyond_the_most(client, collection):
    """A poor face that is also one too many has both reasons; a good one alone is indexed."""
    poor = blur(portrait().resize((200, 200)), 3)
    picture = side_by_side(portrait(), poor)
    answer = client.index_faces(CollectionId=collection, Image={"Bytes": picture}, MaxFaces=1, QualityFilter="LOW")
    assert len(answer["FaceRecords"]) == 1
    assert answer["FaceRecords"][0]["FaceDetail"]["BoundingBox"]["Left"] < 0.5
    (unindexed,) = answer["UnindexedFaces"]
    assert {"LOW_SHARPNESS", "EXCEEDS_MAX_FACES"} <= set(unindexed["Reasons"])


def test_defaults_and_searches(client, collection):
    """IndexFaces is AUTO and keeps a poor face out. Searches and comparisons are NONE, and heed a filter that is set."""
    good, poor = {"Bytes": jpeg(portrait())}, {"Bytes": jpeg(blur(portrait(), 3))}
    assert "LOW_SHARPNESS" in reasons(client, collection, poor["Bytes"])
    assert reasons(client, collection, good["Bytes"]) == []

    assert "SearchedFaceBoundingBox" in client.search_faces_by_image(CollectionId=collection, Image=poor)
    users = client.search_users_by_image(CollectionId=collection, Image=poor)
    assert "SearchedFace" in users and users.get("UnsearchedFaces", []) == []
    client.compare_faces(SourceImage=poor, TargetImage=good)
    for name in ("AUTO", "LOW", "MEDIUM", "HIGH"):
        with pytest.raises(client.exceptions.InvalidParameterException, match="There are no faces in the image"):
            client.search_faces_by_image(CollectionId=collection, Image=poor, QualityFilter=name)
        users = client.search_users_by_image(CollectionId=collection, Image=poor, QualityFilter=name)
        (unsearched,) = users["UnsearchedFaces"]
        assert "SearchedFace" not in users and "LOW_SHARPNESS" in unsearched["Reasons"]
        with pytest.raises(client.exceptions.InvalidParameterException):
            client.compare_faces(SourceImage=poor, TargetImage=good, QualityFilter=name)
        assert client.search_faces_by_image(CollectionId=collection, Image=good, QualityFilter=name)["FaceMatches"]
