#!/usr/bin/env bash
# snapshots.sh BASE REPORT.md: what each parameter file of infra/ would create, next to what it would have created in the
# folder BASE, a copy of infra/ and the fleet file. Evaluated by `bicep snapshot`, so it needs no sign-in: what only Azure
# knows stays an expression. Ends with 1 where a parameter file cannot be evaluated, as for a fleet that Azure would refuse.
#
# BICEP, the compiler; default the one that `dotnet restore scripts/bicep` fetches.
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

base=$1 report=$2
# What azd sets, and azd's parameter file reads.
export AZURE_ENV_NAME=${AZURE_ENV_NAME:-berth} AZURE_LOCATION=${AZURE_LOCATION:-westeurope}

snapshot() {
  "$compiler" snapshot "$@" --subscription-id 00000000-0000-0000-0000-000000000001 --location "$AZURE_LOCATION"
}

# What `--mode validate` says, without colours and its first line.
difference() {
  local said
  said=$(snapshot "$1" --mode validate 2>&1 | sed -e $'s/\x1b\\[[0-9;]*m//g' -e '/^Snapshot validation/d') || true
  printf '%s\n' "${said:-Nothing changes.}"
}

compare() {
  local file=$1 written=${1%.bicepparam}.snapshot.json
  if ! snapshot "$file" >/dev/null; then return 1; fi
  rm -f "$written"
  if [ ! -f "$base/$file" ]; then
    echo 'The file is new.'
  elif ! snapshot "$base/$file" >/dev/null 2>&1; then
    echo 'The file of the base branch cannot be evaluated, so there is nothing to compare with.'
  else
    mv "$base/$written" "$written"
    difference "$file"
    rm -f "$written"
  fi
}

compiler=$(bicep_compiler)
status=0
for file in infra/*.bicepparam; do
  section "$report" "What $file would create" compare "$file" || status=1
done
exit "$status"
