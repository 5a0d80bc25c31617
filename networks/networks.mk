# The networks and ONNX Runtime's shared library, in lib/recollect. Does nothing if they are installed.
# FROM=DIR: a folder in which networks are looked for first, by their SHA-256.
.PHONY: networks
networks:
	@go run ./networks -from "$(FROM)"

# The packs that are installed on demand and that tests need: text, 31 MB. recollect models add text installs it elsewhere.
.PHONY: networks-tests
networks-tests: networks
	@go run ./networks -pack text -from "$(FROM)"
