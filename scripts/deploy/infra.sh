#!/usr/bin/env bash
# infra.sh build               compiles the infrastructure; needs no sign-in
# infra.sh what-if [FILE.md]   shows what a deployment would change
# infra.sh drift [FILE.md]     the same, and fails if a deployment would change anything
# infra.sh apply               deploys it, unless that would remove app settings or identities that others added
#
# Environment: AZURE_LOCATION for the record of the deployment, or AZURE_RESOURCE_GROUP for a template of a resource
# group; BERTH_PARAMETERS (default infra/production.bicepparam).
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

template=${berth_home}infra/main.bicep
parameters=${BERTH_PARAMETERS:-infra/production.bicepparam}

build() {
  az bicep build --file "$template" --stdout >/dev/null
  local file
  # These defaults let parameter files build that read the variables.
  export AZURE_ENV_NAME=${AZURE_ENV_NAME:-berth} AZURE_LOCATION=${AZURE_LOCATION:-westeurope}
  for file in infra/*.bicepparam; do
    az bicep build-params --file "$file" --stdout >/dev/null
    echo "$file is valid."
  done
}

# The scope of the template: a subscription, in which it creates a resource group, or an existing resource group.
scope() {
  if grep -Eq "^targetScope *= *'subscription'" "$template"; then
    need AZURE_LOCATION
    scope=(sub) where=(--location "$AZURE_LOCATION")
  else
    need AZURE_RESOURCE_GROUP
    scope=(group) where=(--resource-group "$AZURE_RESOURCE_GROUP")
  fi
}

# kept [--must-know]: fails if a deployment would remove an app setting or an identity that the parameter file does not declare.
kept() {
  local group=()
  if [ "${scope[0]}" = group ]; then group=(--resource-group "$AZURE_RESOURCE_GROUP"); fi
  node "${berth_home}scripts/deploy/kept-settings.mjs" --parameters "$parameters" ${group[@]+"${group[@]}"} "$@"
}

# report_kept FILE.md: adds to the report what a deployment would remove, and what cannot be known here.
report_kept() {
  local said status=0
  said=$(kept 2>&1) || status=$?
  if [ -n "$said" ]; then section "$1" 'App settings and identities that others added' printf '%s\n' "$said"; fi
  return "$status"
}

# With ProviderNoRbac, Azure does not check write permissions, so an identity with read permissions is enough.
what_if() {
  az deployment "${scope[@]}" what-if "${where[@]}" --parameters "$parameters" --validation-level ProviderNoRbac "$@"
}

case "${1:-}" in
  build)
    build
    ;;
  what-if)
    scope
    status=0
    report_kept "${2:-/dev/null}" || status=$?
    section "${2:-/dev/null}" "Infrastructure: $parameters" what_if || status=$?
    exit "$status"
    ;;
  drift)
    scope
    status=0
    report_kept "${2:-/dev/null}" || status=$?
    # The change types that are no change: https://learn.microsoft.com/azure/azure-resource-manager/bicep/deploy-what-if
    # The REST API has the changes below `properties`; the Azure CLI has printed them at the top. The templates never write a
    # hub or DPS that exists, whatever what-if says: connect.sh compares those.
    changes=$(what_if --no-pretty-print --output tsv \
      --query "length((changes || properties.changes)[?changeType!='NoChange' && changeType!='Ignore' && changeType!='Unsupported' && (changeType!='Modify' || !contains(resourceId, '/Microsoft.Devices/') || contains(resourceId, '/Microsoft.Authorization/'))])")
    if [ "$changes" = 0 ]; then
      echo "$parameters: nothing differs from Azure."
    else
      section "${2:-/dev/null}" "Infrastructure that differs from $parameters" what_if
      echo "${changes:-?} resources differ from $parameters. Deploy, or change the parameter file." >&2
      status=1
    fi
    exit "$status"
    ;;
  apply)
    scope
    kept --must-know
    az deployment "${scope[@]}" create --name "berth-${GITHUB_RUN_ID:-by-hand}" "${where[@]}" \
      --parameters "$parameters" --output none
    ;;
  *)
    sed -n '2,5s/^# //p' "${BASH_SOURCE[0]}" >&2
    exit 1
    ;;
esac
