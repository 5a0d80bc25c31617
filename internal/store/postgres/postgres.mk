# The PostgreSQL server of the tests, in .cache/postgres. They start servers of their own from it.
.PHONY: postgres
postgres: .cache/postgres/installed

.cache/postgres/installed: internal/store/postgres/requirements.txt
	rm -rf $(@D)
	python3 -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --no-deps \
		--target $(@D) --requirement $<
	touch $@
