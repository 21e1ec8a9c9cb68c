#!/usr/bin/env bash
# enrollments.sh plan [REPORT.md]   shows what `berth enroll apply` would change in DPS
# enrollments.sh apply              sets the webhook of the enrollments in enrollments.json, with the key of the
#                                   function allocateDevice
#
# Environment: BERTH_DPS__hostName. apply also needs AZURE_RESOURCE_GROUP and BERTH_APPS, and reads the key from the
# first app. The keys of enrollments are in the variables that enrollments.json names.
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
need BERTH_DPS__hostName

case "${1:-}" in
  plan)
    section "${2:-/dev/null}" 'Enrollments' berth enroll plan
    ;;
  apply)
    need BERTH_APPS
    BERTH_APP=${BERTH_APPS%% *}
    BERTH_WEBHOOK_KEY=$(function_key allocateDevice)
    export BERTH_WEBHOOK_KEY
    berth enroll apply
    ;;
  *)
    sed -n '2,4s/^# //p' "${BASH_SOURCE[0]}" >&2
    exit 1
    ;;
esac
