#!/usr/bin/env bash
# release.sh PACKAGE.zip [--every-app]: deploys the package of `npm run package` to one app after the other, and runs
# smoke.sh after each. After the first failure it stops, so that the other apps keep their package. With --every-app,
# for a rollback, it continues with the other apps.
#
# Environment: AZURE_RESOURCE_GROUP; BERTH_APPS, names separated by spaces.
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
