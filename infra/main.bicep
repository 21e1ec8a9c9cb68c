// Berth in Azure: the Device Provisioning Service, IoT hubs in several regions, and for each stamp a Function App with an
// Event Hub, state and logs. infra/README.md has the picture, the roles, the costs, and what has never been tried.
//
//   az deployment sub create --location westeurope --template-file infra/main.bicep --parameters infra/small.bicepparam
//   azd up                                           (infra/main.bicepparam)

targetScope = 'subscription'

import { fleetHub, stampSettings } from 'types.bicep'

@minLength(1)
@maxLength(40)
@description('Name of the environment: the resource group is rg-NAME, and other names are derived from it.')
param environmentName string

@minLength(1)
@description('Azure region of the resource group, of DPS, and of the stamp where `stamps` is not given.')
param location string

@minLength(1)
@description('The hubs of the fleet file, as it has them: the one list that DPS, routes, roles, quota alerts and stamps are made from.')
param hubs fleetHub[]

@minLength(1)
@description('Where twin sync runs. Several where twins must stay in a geography; hubs[].stamp then says which is whose.')
param stamps stampSettings[] = [
  {
    name: 'main'
    location: location
  }
]

@description('Further regions for the webhook alone. They share the state of the first stamp, and come with Azure Front Door for one URL.')
param allocatorLocations string[] = []

@allowed(['public', 'private'])
@description('private: storage and Event Hubs through private endpoints only. The webhook stays public: DPS cannot call a private one. Deploy public first, then private.')
param networkAccess string = 'public'

@allowed(['22', '24'])
@description('Version of Node.js that the Function Apps run.')
param nodeVersion string = '24'

@allowed([512, 2048, 4096])
@description('Memory of an instance, MB.')
param instanceMemoryMB int = 2048

@minValue(0)
@maxValue(20)
@description('Webhook instances that are always ready, in each app. 0 is cheaper; the first registration after a pause then waits for a cold start.')
param httpAlwaysReady int = 1

@minValue(40)
@maxValue(1000)
@description('Most instances of an app.')
param maximumInstances int = 40

@allowed(['Recreate', 'RollingUpdate'])
@description('How instances are replaced by a deployment. RollingUpdate drains them first; Microsoft calls it a preview.')
param siteUpdateStrategy string = 'Recreate'

@description('Spread the apps over availability zones. Not in every region.')
param zoneRedundant bool = false

@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
@description('Redundancy of the storage accounts. Zone redundancy is not in every region.')
param storageRedundancy string = 'Standard_LRS'

@minValue(1)
@maxValue(7)
@description('Days that the Event Hub keeps events: how long the app may be down without a gap.')
param eventRetentionDays int = 7

@minValue(30)
@maxValue(730)
@description('Days that logs are kept; they are the record of every decision.')
param logRetentionDays int = 90

@minValue(-1)
@description('Most GB of logs a day and stamp, after which nothing more is recorded that day, receipts included. -1: no cap.')
param logDailyCapGb int = -1

@description('E-mail address for alerts; empty: they are shown in the portal only.')
param alertEmail string = ''

@description('Object id of who uses the berth command: Storage Table Data Contributor on the state. Empty: nobody yet.')
param operatorPrincipalId string = ''

@allowed(['User', 'Group', 'ServicePrincipal'])
@description('What operatorPrincipalId is.')
param operatorPrincipalType string = 'User'

@description('Further tags.')
param tags object = {}

var token = toLower(uniqueString(subscription().id, environmentName, location))
var allTags = union(tags, {
  'azd-env-name': environmentName
})
var isPrivate = networkAccess == 'private'
var allHubs = map(hubs, hub => {
  name: split(hub.host, '.')[0]
  region: hub.region
  tier: hub.tier
  units: hub.?units ?? 1
  stamp: hub.?stamp ?? ''
  labels: hub.?labels ?? {}
})
// A hub that names no stamp is nobody's where others do (a test refuses such a fleet file).
var hasStamps = !empty(filter(allHubs, hub => !empty(hub.stamp)))

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: allTags
}

module privateDns 'modules/private-dns.bicep' = if (isPrivate) {
  scope: group
  name: 'private-dns'
  params: {
    tags: allTags
  }
}

module stampDeployments 'modules/stamp.bicep' = [
  for (stamp, index) in stamps: {
    scope: group
    name: 'stamp-${stamp.name}'
    params: {
      stamp: stamp
      hubs: hasStamps ? filter(allHubs, hub => hub.stamp == stamp.name) : index == 0 ? allHubs : []
      stampName: hasStamps ? stamp.name : ''
      token: token
      tags: allTags
      // azd deploys a service to one app.
      serviceName: index == 0 ? 'api' : 'api-${stamp.name}'
      networkAccess: networkAccess
      zoneNames: isPrivate ? privateDns!.outputs.zoneNames : []
      addressPrefix: '10.40.${index}.0/24'
      nodeVersion: nodeVersion
      instanceMemoryMB: instanceMemoryMB
      httpAlwaysReady: httpAlwaysReady
      maximumInstances: maximumInstances
      siteUpdateStrategy: siteUpdateStrategy
      zoneRedundant: zoneRedundant
      storageRedundancy: storageRedundancy
      eventRetentionDays: eventRetentionDays
      logRetentionDays: logRetentionDays
      logDailyCapGb: logDailyCapGb
      alertEmail: alertEmail
      operatorPrincipalId: operatorPrincipalId
      operatorPrincipalType: operatorPrincipalType
    }
  }
]

module allocators 'modules/allocator.bicep' = [
  for (region, index) in allocatorLocations: {
    scope: group
    name: 'allocator-${region}'
    params: {
      location: region
      token: token
      tags: allTags
      serviceName: 'api-${region}'
      stateAccountName: stampDeployments[0].outputs.stateAccountName
      applicationInsightsName: stampDeployments[0].outputs.applicationInsightsName
      applicationInsightsConnectionString: stampDeployments[0].outputs.applicationInsightsConnectionString
      networkAccess: networkAccess
      zoneNames: isPrivate ? privateDns!.outputs.zoneNames : []
      addressPrefix: '10.41.${index}.0/24'
      stampNetworkName: stampDeployments[0].outputs.networkName
      nodeVersion: nodeVersion
      instanceMemoryMB: instanceMemoryMB
      httpAlwaysReady: httpAlwaysReady
      maximumInstances: maximumInstances
      siteUpdateStrategy: siteUpdateStrategy
      zoneRedundant: zoneRedundant
      storageRedundancy: storageRedundancy
    }
  }
]

module frontDoor 'modules/front-door.bicep' = if (!empty(allocatorLocations)) {
  scope: group
  name: 'front-door'
  params: {
    token: token
    tags: allTags
    stampHostName: stampDeployments[0].outputs.functionAppHostName
    allocatorHostNames: [for (region, index) in allocatorLocations: allocators[index].outputs.functionAppHostName]
  }
}

module dps 'modules/dps.bicep' = {
  scope: group
  name: 'dps'
  params: {
    name: 'dps-berth-${token}'
    location: location
    tags: allTags
    hubs: allHubs
  }
  // Hubs must be there before their keys can be asked for.
  dependsOn: [
    stampDeployments
  ]
}

@description('Azure region.')
output AZURE_LOCATION string = location

@description('Tenant.')
output AZURE_TENANT_ID string = tenant().tenantId

@description('Resource group of everything.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Function App of the first stamp: the one that azd deploys to.')
output SERVICE_API_NAME string = stampDeployments[0].outputs.functionAppName

@description('Webhook of the enrollments, to which ?code=FUNCTION_KEY must be added.')
output BERTH_WEBHOOK_URL string = 'https://${empty(allocatorLocations) ? stampDeployments[0].outputs.functionAppHostName : frontDoor!.outputs.hostName}/api/allocate'

@description('Name of the Device Provisioning Service.')
output DPS_NAME string = dps.outputs.name

@description('ID scope, which devices are given.')
output DPS_ID_SCOPE string = dps.outputs.idScope

@description('State tables of the first stamp: the environment variable that the berth command reads.')
output BERTH_STATE__tableServiceUri string = stampDeployments[0].outputs.stateTableUri

@description('Each stamp: name, Function App, state tables.')
output STAMPS array = [
  for (stamp, index) in stamps: {
    name: stamp.name
    functionApp: stampDeployments[index].outputs.functionAppName
    stateTableUri: stampDeployments[index].outputs.stateTableUri
  }
]

@description('Function Apps of the further regions; their package is deployed like the first one.')
output ALLOCATOR_APPS array = [for (region, index) in allocatorLocations: allocators[index].outputs.functionAppName]
