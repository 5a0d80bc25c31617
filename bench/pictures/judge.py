"""Decodes pictures by Pillow for the command that starts it.

It writes a line with the versions of Pillow and its libraries. Then it reads paths from standard
input, a line each, and writes for each a line of JSON and the pixels.

The line has "bytes", the number of bytes that follow: width x height x 3, upright, on white; or
"error". A truncated picture is an error.
"""

import json
import sys
import warnings

from PIL import Image, ImageOps, PngImagePlugin, features

Image.MAX_IMAGE_PIXELS = 100_000_000
PngImagePlugin.MAX_TEXT_CHUNK = 64 << 20
warnings.simplefilter("ignore")
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)

def pixels(path):
    with Image.open(path, formats=("JPEG", "PNG", "WEBP")) as img:
        img.load()
        mode = img.mode
        upright = ImageOps.exif_transpose(img)
        if mode.startswith("I"):  # 16 bits of grey: the higher 8
            upright = upright.convert("I").point(lambda v: v / 256).convert("L")
        transparent = "transparency" in upright.info and mode in ("P", "L", "RGB", "1")
        if transparent or upright.mode in ("LA", "PA", "RGBA", "La", "RGBa"):
            upright = upright.convert("RGBA")
            upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
        return mode, upright.convert("RGB")

out = sys.stdout.buffer
names = ("libjpeg_turbo", "zlib", "webp")
libraries = ", ".join(f"{name} {features.version(name)}" for name in names)
out.write(f"Pillow {Image.__version__} ({libraries})\n".encode())
for line in sys.stdin:
    try:
        mode, img = pixels(line.rstrip("\n"))
        data, answer = img.tobytes(), {"mode": mode, "width": img.width, "height": img.height}
    except Exception as e:
        data, answer = b"", {"error": f"{type(e).__name__}: {e}"[:300]}
    out.write(json.dumps(answer | {"bytes": len(data)}).encode() + b"\n" + data)
    out.flush()
