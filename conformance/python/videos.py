"""Videos of pictures, written as scenarios' are: an AVI of JPEG frames."""

import struct

FRAMES_PER_SECOND = 10


def motion_jpeg(*scenes: tuple[int, bytes], side: int = 250) -> bytes:
    """A video of pictures of one size, each for a number of frames."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)

    def riff_list(name: bytes, *parts: bytes) -> bytes:
        return chunk(b"LIST", name + b"".join(parts))

    frames = [jpeg for count, jpeg in scenes for _ in range(count)]
    largest = max(map(len, frames))
    movie, index = b"", b""
    for jpeg in frames:
        index += b"00dc" + struct.pack("<III", 0x10, 4 + len(movie), len(jpeg))
        movie += chunk(b"00dc", jpeg)
    header = struct.pack("<14I", 1_000_000 // FRAMES_PER_SECOND, largest * FRAMES_PER_SECOND, 0, 0x10, len(frames), 0, 1, largest, side, side, 0, 0, 0, 0)
    stream = b"vidsMJPG" + struct.pack("<12I", 0, 0, 0, 1, FRAMES_PER_SECOND, 0, len(frames), largest, 0xFFFFFFFF, 0, 0, side | side << 16)
    form = struct.pack("<4I", 40, side, side, 1 | 24 << 16) + b"MJPG" + struct.pack("<5I", side * side * 3, 0, 0, 0, 0)
    streams = riff_list(b"strl", chunk(b"strh", stream), chunk(b"strf", form))
    return chunk(b"RIFF", b"AVI " + riff_list(b"hdrl", chunk(b"avih", header), streams) + riff_list(b"movi", movie) + chunk(b"idx1", index))
