// Two stamps, so that twins of European devices stay in Europe; the webhook in a second region of the first stamp. Copy
// fleet.production.json to fleet.json, make it yours, and read the hubs from there.
using './main.bicep'

param environmentName = 'berth-prod'
param location = 'westeurope'

param hubs = loadJsonContent('fleet.production.json').hubs
param appliesManifests = contains(loadJsonContent('fleet.production.json'), 'edge')
param setsScopes = any(loadJsonContent('fleet.production.json')).?allocation.?setScopes ?? false
param callsMethods = contains(any(loadJsonContent('fleet.production.json')).?allocation.?moves.?ask ?? {}, 'method')

param stamps = [
  {
    name: 'eu'
    location: 'westeurope'
    partitions: 4
    throughputUnits: 2
    addressPrefix: '10.40.0.0/24'
  }
  {
    name: 'us'
    location: 'eastus'
    partitions: 4
    throughputUnits: 2
    addressPrefix: '10.40.1.0/24'
  }
]

param allocatorLocations = [
  'northeurope'
]
// The networks, should networkAccess become private.
param allocatorAddressPrefixes = {
  northeurope: '10.41.0.0/24'
}

// App settings of your own, such as those that the fleet file names. A deployment removes others. A secret is a reference:
//   ACR_PASSWORD: '@Microsoft.KeyVault(SecretUri=https://VAULT.vault.azure.net/secrets/NAME)'
param appSettings = {}

param httpAlwaysReady = 2
param maximumInstances = 100
param zoneRedundant = true
param eventRetentionDays = 7
param logRetentionDays = 365
param alertEmail = 'iot-operations@contoso.com'
// Nobody deletes a hub, DPS or the state by mistake. infra/README.md says how to remove the locks.
param deleteLocks = true
