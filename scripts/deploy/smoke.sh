#!/usr/bin/env bash
# smoke.sh PACKAGE.zip: checks that the app answers with this package. Environment: AZURE_RESOURCE_GROUP, BERTH_APP;
# SMOKE_MINUTES (default 10), the time limit.
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

smoke() {
  node scripts/deploy/smoke.mjs --url "$url" --minutes "${SMOKE_MINUTES:-10}" "$@"
}

package=$1
url=$(app_url)
# The first check needs no keys. Keys can be read only after the app has started.
smoke --package "$package" --only-health
BERTH_EXPLAIN_KEY=$(function_key explainAllocation)
BERTH_FLEET_KEY=$(function_key fleetStatus)
export BERTH_EXPLAIN_KEY BERTH_FLEET_KEY
smoke --package "$package"
