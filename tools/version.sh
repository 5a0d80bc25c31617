#!/bin/sh
# Prints the version of the working tree, from git: 1.2.0 at the tag v1.2.0, and 1.2.0-5-gabc1234 five commits later.
# Before the first tag it is 0.0.0 with the number of commits. -dirty says that files differ from the commit.
# Without git it is "devel".
cd "$(dirname "$0")/.." || exit 1
git rev-parse --verify --quiet HEAD >/dev/null 2>&1 || { echo devel; exit 0; }
if version=$(git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null); then
	echo "${version#v}"
else
	echo "0.0.0-$(git rev-list --count HEAD)-g$(git describe --always --exclude '*' --dirty)"
fi
