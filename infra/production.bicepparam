// Two stamps, so that twins of European devices stay in Europe; the webhook in a second region of the first stamp. Copy
// fleet.production.json to fleet.json, make it yours, and read the hubs from there.
using './main.bicep'

var fleet = any(loadJsonContent('fleet.production.json'))

param environmentName = 'berth-prod'
param location = 'westeurope'

param hubs = map(fleet.hubs, hub => {
  name: split(hub.host, '.')[0]
  region: hub.region
  tier: hub.tier
  units: hub.?units ?? 1
  stamp: hub.?stamp
  labels: hub.?labels
})

param stamps = [
  {
    name: 'eu'
    location: 'westeurope'
    partitions: 4
    throughputUnits: 2
  }
  {
    name: 'us'
    location: 'eastus'
    partitions: 4
    throughputUnits: 2
  }
]

param allocatorLocations = [
  'northeurope'
]

param httpAlwaysReady = 2
param maximumInstances = 100
param storageRedundancy = 'Standard_ZRS'
param zoneRedundant = true
param eventRetentionDays = 7
param logRetentionDays = 365
param alertEmail = 'iot-operations@contoso.com'
