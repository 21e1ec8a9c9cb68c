#!/usr/bin/env bash
# connect.sh plan [FILE.md]    shows what `berth connect apply` would change: routes and sizes of hubs, links of DPS
# connect.sh drift [FILE.md]   the same, and fails if it would change anything
# connect.sh apply [OPTION...] changes it. The options are those of `berth connect apply`, such as --unlink HOST
#
# Environment: AZURE_SUBSCRIPTION_ID and AZURE_RESOURCE_GROUP, of the deployment.
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

case "${1:-}" in
  plan)
    need AZURE_SUBSCRIPTION_ID AZURE_RESOURCE_GROUP
    section "${2:-/dev/null}" 'Hubs and DPS' berth connect plan
    ;;
  drift)
    need AZURE_SUBSCRIPTION_ID AZURE_RESOURCE_GROUP
    section "${2:-/dev/null}" 'Hubs and DPS that differ from the fleet file' berth connect plan --fail-on-changes
    ;;
  apply)
    need AZURE_SUBSCRIPTION_ID AZURE_RESOURCE_GROUP
    berth connect "$@"
    ;;
  *)
    sed -n '2,4s/^# //p' "${BASH_SOURCE[0]}" >&2
    exit 1
    ;;
esac
