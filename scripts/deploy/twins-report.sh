#!/usr/bin/env bash
# twins-report.sh BASE.json REPORT.md: where the known devices would go under fleet.json, and what it would write to
# their twins, next to the fleet file of the base branch. Reads the state tables (BERTH_STATE__tableServiceUri), asks
# no hub. BERTH_MAX_MOVES and BERTH_MAX_WRITES, where set, make it end with 1 above them.
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
# Not below report/, which is uploaded: it is what the devices sent when they registered.
devices=$(mktemp)
trap 'rm -f "$devices"' EXIT
berth export --out "$devices"
if [ -s "$devices" ]; then
  section "$report" 'Where the known devices would go' \
    berth what-if --fleet fleet.json "${against[@]}" --devices "$devices" \
    ${BERTH_MAX_MOVES:+--max-moves "$BERTH_MAX_MOVES"} || status=1
fi
# No patches: whoever may read the pull request need not be allowed to read twins.
section "$report" 'What would be written to twins' \
  berth what-if --twins --fleet fleet.json "${against[@]}" --first 0 \
  ${BERTH_MAX_WRITES:+--max-writes "$BERTH_MAX_WRITES"} || status=1
exit "$status"
