#!/usr/bin/env bash
# infra.sh build               compiles the infrastructure; needs no sign-in
# infra.sh what-if [FILE.md]   says what a deployment would change
# infra.sh apply               deploys it
#
# AZURE_LOCATION, where the record of the deployment is kept, or AZURE_RESOURCE_GROUP for a template of a resource
# group; BERTH_PARAMETERS (default infra/production.bicepparam).
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

template=infra/main.bicep
parameters=${BERTH_PARAMETERS:-infra/production.bicepparam}

build() {
  az bicep build --file "$template" --stdout >/dev/null
  local file
  # A file that reads them must build without them.
  export AZURE_ENV_NAME=${AZURE_ENV_NAME:-berth} AZURE_LOCATION=${AZURE_LOCATION:-westeurope}
  for file in infra/*.bicepparam; do
    az bicep build-params --file "$file" --stdout >/dev/null
    echo "$file is fine."
  done
}

# The template says whether it deploys into a resource group or creates one.
scope() {
  if grep -Eq "^targetScope *= *'subscription'" "$template"; then
    need AZURE_LOCATION
    scope=(sub) where=(--location "$AZURE_LOCATION")
  else
    need AZURE_RESOURCE_GROUP
    scope=(group) where=(--resource-group "$AZURE_RESOURCE_GROUP")
  fi
}

case "${1:-}" in
  build)
    build
    ;;
  what-if)
    scope
    # An identity that may only read may ask too, as long as nobody checks whether it could write.
    section "${2:-/dev/null}" "Infrastructure: $parameters" \
      az deployment "${scope[@]}" what-if "${where[@]}" --parameters "$parameters" --validation-level ProviderNoRbac
    ;;
  apply)
    scope
    az deployment "${scope[@]}" create --name "berth-${GITHUB_RUN_ID:-by-hand}" "${where[@]}" \
      --parameters "$parameters" --output none
    ;;
  *)
    sed -n '2,4s/^# //p' "${BASH_SOURCE[0]}" >&2
    exit 1
    ;;
esac
