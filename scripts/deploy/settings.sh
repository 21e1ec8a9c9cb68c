# Functions and settings that the other scripts of this folder source.
# shellcheck shell=bash
set -euo pipefail
berth_home=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "${berth_home%%/node_modules/*}"
# The folder of Berth, relative to the project: empty in a checkout, node_modules/…/berth/ in a project of one's own.
berth_home=${berth_home#"$PWD"}
berth_home=${berth_home:+${berth_home#/}/}
export AZURE_CORE_NO_COLOR=true AZURE_CORE_ONLY_SHOW_ERRORS=true

# need NAME...: fails if a variable is not set or empty. An absent repository variable is empty.
need() {
  local name
  for name in "$@"; do
    if [ -z "${!name:-}" ]; then
      echo "$name is not set. docs/deploy.md describes it." >&2
      exit 1
    fi
  done
}

# same_fleet BASE.json: succeeds if the fleet file and its models are unchanged.
same_fleet() {
  local models
  models=$(dirname "$1")/models
  cmp --silent fleet.json "$1" || return 1
  if [ ! -d models ] && [ ! -d "$models" ]; then return 0; fi
  diff --recursive --brief models "$models" > /dev/null 2>&1
}

# existing_key FUNCTION KEY_NAME: prints the key of this name of the function in BERTH_APP, or nothing if it has none. In a
# workflow, it first masks the key in the log. A new app lists its functions only after its start, so it asks for up to
# two minutes.
existing_key() {
  need AZURE_RESOURCE_GROUP BERTH_APP
  local key='' tries=${KEY_TRIES:-12}
  until key=$(az functionapp function keys list --resource-group "$AZURE_RESOURCE_GROUP" --name "$BERTH_APP" \
    --function-name "$1" --query "\"$2\"" --output tsv); do
    tries=$((tries - 1))
    if [ "$tries" -le 0 ]; then
      echo "Cannot read the keys of $1. Check that this identity may list the keys of $BERTH_APP." >&2
      return 1
    fi
    sleep "${KEY_PAUSE:-10}"
  done
  # The mask goes to standard error, which the runner reads too. Standard output is only the key.
  if [ -n "$key" ] && [ -n "${GITHUB_ACTIONS:-}" ]; then echo "::add-mask::$key" >&2; fi
  printf '%s' "$key"
}

# function_key FUNCTION [KEY_NAME] [VALUE]: prints the key of this name (default berth) of the function in BERTH_APP. If the
# app lacks it, makes it first, with this value or one of Azure's. Scripts use no key of another name: `default` belongs
# to the host, and people use it.
function_key() {
  local name=${2:-berth} key
  key=$(existing_key "$1" "$name") || return 1
  if [ -z "$key" ]; then
    az functionapp function keys set --resource-group "$AZURE_RESOURCE_GROUP" --name "$BERTH_APP" --function-name "$1" \
      --key-name "$name" ${3:+--key-value "$3"} --output none || return 1
    key=$(existing_key "$1" "$name") || return 1
  fi
  if [ -z "$key" ]; then
    echo "The key $name of $1 in $BERTH_APP was made, and cannot be read yet. Run the same command again." >&2
    return 1
  fi
  printf '%s' "$key"
}

# app_url: prints the URL of the app. Newer apps have a host name with a random part.
app_url() {
  if [ -n "${BERTH_URL:-}" ]; then
    printf '%s' "$BERTH_URL"
    return
  fi
  need AZURE_RESOURCE_GROUP BERTH_APP
  local host
  # The resource of Azure has the name below `properties`; the Azure CLI has printed it at the top.
  host=$(az functionapp show --resource-group "$AZURE_RESOURCE_GROUP" --name "$BERTH_APP" \
    --query 'defaultHostName || properties.defaultHostName' --output tsv)
  printf 'https://%s' "$host"
}

# bicep_compiler: the path of the Bicep compiler: what BICEP says, else what `dotnet restore scripts/bicep` has fetched.
bicep_compiler() {
  local version found
  if [ -n "${BICEP:-}" ]; then
    printf '%s' "$BICEP"
    return
  fi
  version=$(sed -n 's|.*<BicepVersion>\(.*\)</BicepVersion>.*|\1|p' "${berth_home}scripts/bicep/bicep.csproj")
  found=$(find "${NUGET_PACKAGES:-$HOME/.nuget/packages}" -path "*/azure.bicep.commandline.*/$version/tools/bicep" 2>/dev/null |
    head -n 1)
  if [ -z "$found" ]; then
    echo "The Bicep compiler $version is missing: run dotnet restore ${berth_home}scripts/bicep, or set BICEP to its path." >&2
    return 1
  fi
  printf '%s' "$found"
}

berth() {
  node "${berth_home}dist/berth.cjs" "$@"
}

# section FILE TITLE COMMAND...: appends the output of the command to a Markdown file, and prints it.
# Returns the exit code of the command.
section() {
  local file=$1 title=$2 said status=0
  shift 2
  said=$("$@" 2>&1) || status=$?
  printf '%s\n' "$said"
  mkdir -p "$(dirname "$file")"
  # Names of hubs and devices could contain Markdown. In a fence, they stay plain text.
  printf '### %s\n\n~~~~~~text\n%s\n~~~~~~\n\n' "$title" "${said//\~\~\~\~\~\~/}" >>"$file"
  return "$status"
}
