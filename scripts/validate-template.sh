#!/bin/sh
# Checks a template: scripts/validate-template.sh <template-directory>
# Exit status: 0 valid, 2 wrong usage, 3 findings (`bbctl template validate`).
set -eu
if [ $# -ne 1 ]; then
  echo "usage: $0 <template-directory>" >&2
  exit 2
fi
exec "${BBCTL:-bbctl}" template validate -- "$1"
