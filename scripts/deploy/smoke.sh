#!/usr/bin/env bash
# smoke.sh PACKAGE.zip: whether the app answers as this package should. AZURE_RESOURCE_GROUP, BERTH_APP;
# SMOKE_MINUTES (default 10) is how long it may take.
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

smoke() {
  node scripts/deploy/smoke.mjs --url "$url" --minutes "${SMOKE_MINUTES:-10}" "$@"
}

package=$1
url=$(app_url)
# First without keys: they can be asked for only once the app has started.
smoke --package "$package" --only-health
BERTH_EXPLAIN_KEY=$(function_key explainAllocation)
BERTH_FLEET_KEY=$(function_key fleetStatus)
export BERTH_EXPLAIN_KEY BERTH_FLEET_KEY
smoke --package "$package"
