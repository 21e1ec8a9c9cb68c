#!/usr/bin/env bash
# release.sh PACKAGE.zip [--every-app]: deploys what `npm run package` wrote to one app after the other, and asks each
# whether it then answers as it should. The first that does not ends it, so that the others keep what they have; with
# --every-app, for going back, the others have their turn all the same.
#
# AZURE_RESOURCE_GROUP; BERTH_APPS, names with spaces between them.
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
need AZURE_RESOURCE_GROUP BERTH_APPS

release() {
  echo "$BERTH_APP"
  az functionapp deployment source config-zip --resource-group "$AZURE_RESOURCE_GROUP" --name "$BERTH_APP" \
    --src "$package" --timeout 600 --output none &&
    bash scripts/deploy/smoke.sh "$package"
}

package=$1
status=0
read -ra apps <<<"$BERTH_APPS"
for BERTH_APP in "${apps[@]}"; do
  export BERTH_APP
  release || status=1
  if [ "$status" != 0 ] && [ "${2:-}" != --every-app ]; then break; fi
done
exit "$status"
