# The networks and ONNX Runtime's shared library, in lib/recollect. Does nothing where they are there already.
.PHONY: networks
networks:
	@go run ./networks
