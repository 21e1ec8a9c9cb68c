#!/usr/bin/env bash
# fleet-report.sh BASE.json REPORT.md: validates fleet.json, and compares it with the fleet file of the base branch:
# the allocation of 100,000 synthetic devices. Needs no Azure. Exit code 1 if the file is not valid.
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

base=$1 report=$2

section "$report" 'Fleet file' berth validate fleet.json
if [ ! -f "$base" ]; then
  echo 'The base branch has no fleet.json to compare with.'
elif cmp --silent fleet.json "$base"; then
  printf 'The fleet file is unchanged.\n\n' | tee -a "$report"
else
  section "$report" 'Where 100,000 synthetic devices would go' \
    berth what-if --fleet fleet.json --against "$base" --devices 100000
fi
