#!/usr/bin/env bash
# enrollments.sh plan [REPORT.md]   shows what `berth enroll apply` would change in DPS
# enrollments.sh drift [REPORT.md]  the same, and fails if it would change anything
# enrollments.sh check              calls each app behind each webhook URL with the key of the URL
# enrollments.sh apply              checks, then writes the enrollments of enrollments.json, each with the key of its URL
# enrollments.sh rotate             checks, then writes the key of each URL to every enrollment that calls it: run it
#                                   after you have written another keyName
#
# Environment: BERTH_DPS__hostName. All but plan also need AZURE_RESOURCE_GROUP and BERTH_APPS. The keys of webhooks have
# the name keyName of enrollments.json in the function allocateDevice; apps that lack the key get it. apply
# also needs the keys of enrollments, in the variables that enrollments.json names. plan and drift compare the rest.
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
source "${berth_home}scripts/deploy/webhooks.sh"

case "${1:-}" in
  plan)
    need BERTH_DPS__hostName
    section "${2:-/dev/null}" 'Enrollments' berth enroll plan
    ;;
  drift)
    need BERTH_DPS__hostName
    section "${2:-/dev/null}" 'Enrollments that differ from enrollments.json' berth enroll plan --fail-on-changes
    ;;
  check)
    webhook_keys
    check_keys
    ;;
  apply)
    need BERTH_DPS__hostName
    webhook_keys
    check_keys
    berth enroll apply
    ;;
  rotate)
    need BERTH_DPS__hostName
    webhook_keys
    check_keys
    rotate_keys
    ;;
  *)
    sed -n '2,7s/^# //p' "${BASH_SOURCE[0]}" >&2
    exit 1
    ;;
esac
