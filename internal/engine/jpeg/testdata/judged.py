"""Makes judged.tar.gz: small JPEG files and the samples that libjpeg-turbo makes of them, through Pillow.

    python judged.py CJPEG [judged.tar.gz]

CJPEG is libjpeg-turbo's cjpeg. Each NAME.jpg has a NAME.raw: a line "WIDTH HEIGHT MODE", then the samples, row after row, of
mode L, YCbCr (not converted: each component at the size of the picture) or RGB (of ink). Samples are channel after channel,
each less the median of its left and its upper neighbour and of their sum less the one between, which packs better.
"""

import gzip
import io
import math
import struct
import subprocess
import sys
import tarfile

from PIL import Image

FACTORS = [
    "1x1", "2x1", "3x1", "4x1", "1x2", "2x2", "3x2", "4x2", "1x3", "2x3", "1x4", "2x4",
    "1x1,2x1,2x1", "1x1,2x2,2x2", "1x1,1x2,2x1", "2x2,1x1,1x2", "2x2,2x1,1x2", "2x1,1x1,2x1", "4x1,2x1,2x1", "4x1,1x1,2x1",
    "1x4,1x2,1x1", "2x1,4x1,1x1", "3x1,1x1,3x1", "2x1,2x2,1x1",
]  # fmt: skip

# The four that have too many blocks for one scan, and some whose ratios are no whole numbers, which libjpeg declines:
# each component is judged alone.
APART = [
    "3x3,1x1,1x1", "4x3,1x1,1x1", "3x4,1x1,1x1", "4x4,1x1,1x1", "4x4,2x1,1x2",
    "3x2,2x1,1x1", "4x3,3x2,2x1", "2x3,3x2,1x1", "1x1,4x3,3x4",
]  # fmt: skip


def picture(width, height, mode="RGB"):
    """Slopes, waves and an edge, with other values in each channel."""
    channels = []
    for c in range(len(mode) if mode != "L" else 1):
        data = bytearray()
        for y in range(height):
            for x in range(width):
                v = 128 + 60 * math.sin((x + 3 * c) / 7) + 40 * math.cos((y - c * x / 9) / 6)
                if x + 2 * y > 45:
                    v = 250 - v if c != 1 else v / 2
                data.append(max(0, min(255, round(v))))
        channels.append(Image.frombytes("L", (width, height), bytes(data)))
    return channels[0] if len(channels) == 1 else Image.merge(mode, channels)


def cjpeg(img, *options):
    pnm = io.BytesIO()
    img.save(pnm, "PPM")
    return subprocess.run([CJPEG, "-quality", "60", *options], input=pnm.getvalue(), capture_output=True, check=True).stdout


def pillow(img, **options):
    out = io.BytesIO()
    img.save(out, "JPEG", **({"quality": 60} | options))
    return out.getvalue()


def segments(data):
    """(marker, start, end) of the segments up to the first scan's header."""
    at, found = 2, []
    while True:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        found.append((data[at + 1], at, end))
        if data[at + 1] == 0xDA:
            return found
        at = end


def without(data, marker):
    parts = segments(data)
    return data[:2] + b"".join(data[a:b] for m, a, b in parts if m != marker) + data[parts[-1][2] :]


def judge(data):
    with Image.open(io.BytesIO(data)) as img:
        if img.mode == "RGB":
            img.draft("YCbCr", img.size)
        elif img.mode == "CMYK":
            img = img.convert("RGB")
        img.load()
        return raw(img)


def raw(img):
    width, height = img.size
    out = bytearray(b"%d %d %s\n" % (width, height, img.mode.encode()))
    for channel in img.split():
        p = channel.tobytes()
        for i, v in enumerate(p):
            left, up = p[i - 1] if i % width else 0, p[i - width] if i >= width else 0
            between = p[i - width - 1] if i % width and i >= width else 0
            out.append((v - sorted((left, up, left + up - between))[1]) & 255)
    return bytes(out)


def size(width, height, factors, i):
    most_h, most_v = max(h for h, _ in factors), max(v for _, v in factors)
    return -(-width * factors[i][0] // most_h), -(-height * factors[i][1] // most_v)


def apart(width, height, factors, adobe=b"", ids=b"\1\2\3\4"):
    """A file of one scan for each component, and each component's own samples."""
    n = len(factors)
    head, scans, planes = b"", b"", []
    for i, (h, v) in enumerate(factors):
        lone = pillow(picture(*size(width, height, factors, i), "L").point(lambda p, i=i: min(255, p // (1 + i // 3) + 20 * i)))
        with Image.open(io.BytesIO(lone)) as img:
            planes.append(raw(img))
        parts = segments(lone)
        if i == 0:
            head = b"".join(lone[a:b] for m, a, b in parts if m in (0xDB, 0xC4))
        scans += b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, ids[i], 0, 0, 63, 0) + lone[parts[-1][2] : -2]
    frame = struct.pack(">BHHB", 8, height, width, n) + b"".join(bytes([ids[i], h << 4 | v, 0]) for i, (h, v) in enumerate(factors))
    return b"\xff\xd8" + adobe + head + b"\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + scans + b"\xff\xd9", planes


def adobe(transform):
    return b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([transform])


def parsed(text):
    factors = [tuple(map(int, f.split("x"))) for f in text.split(",")]
    return (factors + [(1, 1)] * 3)[:3]


def cases():
    for i, factors in enumerate(FACTORS):
        for width in range(1, 41):
            height = width * (17 + 2 * (i % 3)) % 41
            how = ["-progressive"] if (width + i) % 2 else ["-optimize"] if (width + i) % 4 else ["-restart", "1"]
            data = cjpeg(picture(width, height), "-sample", factors, *how)
            yield f"factors-{factors}-{width}", data, judge(data)
    for width, height in (17, 33), (40, 9), (64, 50):
        img = picture(width, height)
        for factors in "1x1", "2x2", "2x1,1x1,2x1":
            for how in [], ["-progressive"], ["-restart", "1"], ["-progressive", "-restart", "1"]:
                data = cjpeg(img, "-arithmetic", "-sample", factors, *how)
                yield "-".join(["arithmetic", factors, str(width), *how]), data, judge(data)
        data = cjpeg(img.convert("L"), "-arithmetic", "-grayscale")
        yield f"arithmetic-grey-{width}", data, judge(data)
        for subsampling in range(3):
            data = without(pillow(img, subsampling=subsampling), 0xC4)
            yield f"no-tables-{subsampling}-{width}", data, judge(data)
        data = without(pillow(img.convert("L")), 0xC4)
        yield f"no-tables-grey-{width}", data, judge(data)
        data = pillow(img, subsampling=2)
        judged = judge(data)
        for marker, start, _ in segments(data):
            if marker == 0xC0:
                dnl = bytearray(data)
                dnl[start + 5 : start + 7] = b"\0\0"
                yield f"height-later-{width}", bytes(dnl[:-2]) + b"\xff\xdc\0\4" + struct.pack(">H", height) + b"\xff\xd9", judged
        cmyk = pillow(picture(width, height, "CMYK"))
        yield f"cmyk-{width}", cmyk, judge(cmyk)
        data = without(cmyk, 0xEE)
        yield f"cmyk-no-adobe-{width}", data, judge(data)
        twice = bytearray(data)
        for marker, start, _ in segments(data):
            if marker == 0xC0:
                twice[start + 10 + 9] = twice[start + 10]
            if marker == 0xDA:
                twice[start + 5 + 6] = twice[start + 5]
        yield f"cmyk-twice-one-id-{width}", bytes(twice), judge(bytes(twice))
        for name, marker in ("cmyk", b""), ("cmyk0", adobe(0)), ("ycck", adobe(2)):
            for factors in [(1, 1)] * 4, [(2, 2), (1, 1), (1, 1), (1, 1)], [(2, 2), (1, 1), (1, 1), (2, 2)], [(1, 1), (2, 1), (1, 1), (2, 1)], [(1, 2), (1, 1), (1, 1), (1, 2)], [(4, 1), (1, 1), (2, 1), (4, 1)]:  # fmt: skip
                data, _ = apart(width, height, factors, marker)
                yield f"{name}-{'-'.join('%dx%d' % f for f in factors)}-{width}", data, judge(data)
    for width, height in (1, 1), (23, 40), (40, 31):
        for factors in map(parsed, APART):
            data, planes = apart(width, height, factors)
            yield f"apart-{'-'.join('%dx%d' % f for f in factors)}-{width}", data, b"".join(planes)


CJPEG = sys.argv[1]
with open(sys.argv[2] if len(sys.argv) > 2 else "judged.tar.gz", "wb") as out, gzip.GzipFile("", "wb", 9, out, 0) as packed:
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        made = list(cases())
        for name, content in [(f"{n}.jpg", d) for n, d, _ in made] + [(f"{n}.raw", s) for n, _, s in made]:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
