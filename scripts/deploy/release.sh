#!/usr/bin/env bash
# release.sh PACKAGE.zip: deploys what `npm run package` wrote, and ends with 1 unless it then answers as it should.
# AZURE_RESOURCE_GROUP, BERTH_APP.
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
need AZURE_RESOURCE_GROUP BERTH_APP

package=$1
az functionapp deployment source config-zip --resource-group "$AZURE_RESOURCE_GROUP" --name "$BERTH_APP" \
  --src "$package" --timeout 600 --output none
bash scripts/deploy/smoke.sh "$package"
