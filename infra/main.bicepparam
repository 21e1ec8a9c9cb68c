// For `azd up`: the hubs of fleet.json, one stamp. azd sets AZURE_*; the others are `azd env set NAME VALUE`.
using './main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME')
param location = any(readEnvironmentVariable('AZURE_LOCATION'))
param operatorPrincipalId = readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')
param operatorPrincipalType = any(readEnvironmentVariable('AZURE_PRINCIPAL_TYPE', ''))
param alertEmail = readEnvironmentVariable('BERTH_ALERT_EMAIL', '')
param httpAlwaysReady = int(readEnvironmentVariable('BERTH_HTTP_ALWAYS_READY', '1'))

param hubs = loadJsonContent('../fleet.json').hubs
param appliesManifests = contains(loadJsonContent('../fleet.json'), 'edge')
param setsScopes = any(loadJsonContent('../fleet.json')).?allocation.?setScopes ?? false
param callsMethods = contains(any(loadJsonContent('../fleet.json')).?allocation.?moves.?ask ?? {}, 'method')
