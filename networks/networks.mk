# The networks and ONNX Runtime's shared library, in lib/recollect. Does nothing if they are installed.
# FROM=DIR: a folder in which networks are looked for first, by their SHA-256.
.PHONY: networks
networks:
	@go run ./networks -from "$(FROM)"
