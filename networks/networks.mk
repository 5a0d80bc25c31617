# The networks and ONNX Runtime's shared library, in lib/recollect. Does nothing if they are installed.
# FROM=DIR: a folder in which networks are looked for first, by their SHA-256.
.PHONY: networks
networks:
	@go run ./networks -from "$(FROM)"

# FFmpeg, in lib/ffmpeg, from the PyPI package imageio-ffmpeg. It decodes videos, as a program of its own; nothing else needs
# it. Does nothing if it is installed, and where the package has none for this platform.
.PHONY: ffmpeg
ffmpeg:
	@go run ./networks -ffmpeg

# The packs that are installed on demand and that tests need: text, 31 MB. recollect models add text installs it elsewhere.
.PHONY: networks-tests
networks-tests: networks
	@go run ./networks -pack text -from "$(FROM)"
