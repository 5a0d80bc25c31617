# The networks and ONNX Runtime's shared library, in lib/recollect. Does nothing if they are installed.
.PHONY: networks
networks:
	@go run ./networks
