#!/usr/bin/env bash
# twins-report.sh BASE.json REPORT.md: compares fleet.json with the fleet file of the base branch: the allocation of
# the known devices, and the writes to their twins. It reads the state tables (BERTH_STATE__tableServiceUri) and no
# hub. Exit code 1 above BERTH_MAX_MOVES or BERTH_MAX_WRITES, if set.
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

base=$1 report=$2
need BERTH_STATE__tableServiceUri

if same_fleet "$base"; then
  echo 'The fleet file and its models are unchanged.'
  exit 0
fi
status=0
against=()
if [ -f "$base" ]; then against=(--against "$base"); fi
# This file must not be in report/, which is uploaded, because it contains the payloads of devices.
devices=$(mktemp)
trap 'rm -f "$devices"' EXIT
berth export --out "$devices"
if [ -s "$devices" ]; then
  section "$report" 'Where the known devices would go' \
    berth what-if --fleet fleet.json "${against[@]}" --devices "$devices" \
    ${BERTH_MAX_MOVES:+--max-moves "$BERTH_MAX_MOVES"} || status=1
fi
# The report contains no patches, because readers of the pull request may have no access to twins.
section "$report" 'What would be written to twins' \
  berth what-if --twins --fleet fleet.json "${against[@]}" --first 0 \
  ${BERTH_MAX_WRITES:+--max-writes "$BERTH_MAX_WRITES"} || status=1
exit "$status"
