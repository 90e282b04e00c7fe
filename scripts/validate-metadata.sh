#!/bin/sh
# Checks the metadata of a tenant: scripts/validate-metadata.sh metadata.json
# Exit status: 0 valid, 2 wrong usage, 3 findings (`bbctl validate`).
set -eu
if [ $# -ne 1 ]; then
  echo "usage: $0 <metadata.json>" >&2
  exit 2
fi
exec "${BBCTL:-bbctl}" validate --kind tenant -- "$1"
