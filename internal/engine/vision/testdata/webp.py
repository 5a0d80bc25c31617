"""Makes the WebP files beside it of drawing.png, and for each a PNG of what libwebp makes of it, through Pillow.

    python webp.py
"""

from PIL import Image


def save(name, img, **options):
    img.save(f"{name}.webp", method=6, **options)
    with Image.open(f"{name}.webp") as made:
        made = made.convert("RGBA")
        white = Image.new("RGBA", made.size, "white")
        Image.alpha_composite(white, made).convert("RGB").save(f"{name}.webp.png", optimize=True)


drawing = Image.open("drawing.png").convert("RGB")
translucent = drawing.copy()
translucent.putalpha(Image.linear_gradient("L").resize(drawing.size))
save("lossy", drawing, quality=80)
save("lossless", drawing, lossless=True)
save("lossy-alpha", translucent, quality=80)
save("lossless-alpha", translucent, lossless=True)
exif = Image.Exif()
exif[0x0112] = 6
drawing.save("turned.webp", quality=80, method=6, exif=exif)
