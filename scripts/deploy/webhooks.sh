# The function keys of the webhooks of enrollments.json, for enrollments.sh, which sources this after settings.sh.
# shellcheck shell=bash

# apps_by_host: fills app_of with each app of BERTH_APPS by each of its host names, in lower case.
declare -A app_of
apps_by_host() {
  local app hosts host
  for app in $BERTH_APPS; do
    hosts=$(az functionapp show --resource-group "$AZURE_RESOURCE_GROUP" --name "$app" \
      --query "join(' ', hostNames || properties.hostNames)" --output tsv)
    for host in $hosts; do app_of[${host,,}]=$app; done
  done
}

# webhook_key URL KEY_NAME ORIGIN...: prints the key of a URL, which all apps behind the URL accept. The key has this
# name in each app. The first app that has the key decides; other apps that lack it get the same one. An app with
# another key of this name is an error, because enrollments may contain that key.
webhook_key() {
  local url=$1 name=$2 origin host app key='' found
  local apps=()
  shift 2
  for origin in "$@"; do
    host=${origin#*://}
    host=${host%%[:/]*}
    app=${app_of[${host,,}]:-}
    if [ -z "$app" ]; then
      echo "$origin is no app of BERTH_APPS. Name the apps behind $url in \"apps\" of the webhook in enrollments.json." >&2
      return 1
    fi
    apps+=("$app")
    if [ -z "$key" ]; then key=$(BERTH_APP=$app existing_key allocateDevice "$name") || return 1; fi
  done
  if [ -z "$key" ]; then key=$(BERTH_APP=${apps[0]} function_key allocateDevice "$name") || return 1; fi
  for app in "${apps[@]}"; do
    found=$(BERTH_APP=$app function_key allocateDevice "$name" "$key") || return 1
    if [ "$found" != "$key" ]; then
      echo "The key $name of allocateDevice in $app differs from the one of the other apps behind $url. Write another keyName for this URL in enrollments.json, then run: enrollments.sh rotate" >&2
      return 1
    fi
  done
  printf '%s' "$key"
}

# webhook_keys: exports the key of each URL of enrollments.json, under the name that the file gives it.
webhook_keys() {
  local listed url variable name origins key
  need AZURE_RESOURCE_GROUP BERTH_APPS
  apps_by_host
  listed=$(berth enroll webhooks)
  while IFS=$'\t' read -r url variable name origins <&3; do
    if [ -z "$url" ]; then continue; fi
    # shellcheck disable=SC2086
    key=$(webhook_key "$url" "$name" $origins)
    export "$variable=$key"
  done 3<<<"$listed"
}

# check_keys: fails if an app does not answer with the key of its URL. A new key needs a moment before it works.
check_keys() {
  local tries=${KEY_TRIES:-12}
  until berth enroll check; do
    tries=$((tries - 1))
    if [ "$tries" -le 0 ]; then return 1; fi
    sleep "${KEY_PAUSE:-10}"
  done
}

# rotate_keys: writes the key of each URL to every enrollment that calls the URL.
rotate_keys() {
  local listed url variable rest
  listed=$(berth enroll webhooks)
  while IFS=$'\t' read -r url variable rest <&3; do
    if [ -n "$url" ]; then berth enroll rotate-key --webhook "$url" --new-key-env "$variable"; fi
  done 3<<<"$listed"
}
