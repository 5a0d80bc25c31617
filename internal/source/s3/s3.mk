# The S3 server of package s3's tests, in .cache/bin. The checksum database vouches for the version's contents.
VERSITYGW_VERSION := v1.8.0
VERSITYGW_STAMP   := .cache/bin/versitygw-$(VERSITYGW_VERSION)

.PHONY: versitygw
versitygw: $(VERSITYGW_STAMP)

$(VERSITYGW_STAMP):
	GOBIN=$(CURDIR)/.cache/bin $(GO) install -trimpath github.com/versity/versitygw/cmd/versitygw@$(VERSITYGW_VERSION)
	touch $@
