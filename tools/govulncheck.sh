#!/bin/sh
# Runs govulncheck. Fails on a vulnerability; says so and passes where its database cannot be reached.
out=$(go tool -modfile=tools/go.mod govulncheck ./... 2>&1)
status=$?
printf '%s\n' "$out"
[ $status -eq 0 ] && exit 0
if printf '%s' "$out" | grep -qE 'dial tcp|no such host|lookup .*: |i/o timeout|connection refused'; then
	echo "govulncheck: NOT RUN, its database cannot be reached from here" >&2
	exit 0
fi
exit $status
