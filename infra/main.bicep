// Berth in Azure: the Device Provisioning Service, IoT hubs in several regions, and for each stamp a Function App with an
// Event Hub, state and logs. infra/README.md has the picture, the roles, the costs, and what has never been tried.
//
//   az deployment sub create --location westeurope --template-file infra/main.bicep --parameters infra/small.bicepparam
//   azd up                                           (infra/main.bicepparam)

targetScope = 'subscription'

import { appSettingProblems } from 'app-settings.bicep'
import {
  allocatorProblems
  commonTagProblems
  dpsProblems
  environmentNameProblems
  hubProblems
  linkProblems
  namedRanges
  operatorProblems
  rangeProblems
  stampProblems
  warningsOf
} from 'checks.bicep'
import { namedRegions, redundancyIn, redundancyProblems } from 'redundancy.bicep'
import { roles } from 'roles.bicep'
import { connectionsOutput, existingDpsPlace, fleetHub, settingSet, stampOutput, stampSettings, tagSet } from 'types.bicep'

@minLength(1)
@maxLength(40)
@description('Name of the environment: the resource group is rg-NAME, and other names are derived from it.')
param environmentName string

@allowed([
  'australiaeast'
  'australiasoutheast'
  'brazilsouth'
  'canadacentral'
  'centralindia'
  'centralus'
  'eastasia'
  'eastus'
  'eastus2'
  'francecentral'
  'germanywestcentral'
  'italynorth'
  'japaneast'
  'koreacentral'
  'northcentralus'
  'northeurope'
  'norwayeast'
  'southafricanorth'
  'southcentralus'
  'southeastasia'
  'southindia'
  'spaincentral'
  'swedencentral'
  'uaenorth'
  'uksouth'
  'ukwest'
  'westcentralus'
  'westeurope'
  'westus'
  'westus2'
  'westus3'
])
@metadata({
  azd: {
    type: 'location'
  }
})
@description('Azure region of the resource group, of DPS, and of the stamp where `stamps` is not given: one that has the plan Flex Consumption.')
param location string

@minLength(1)
@description('The hubs of the fleet file, as it has them: the one list that roles, quota alerts and stamps are made from. Those with `azure` exist already.')
param hubs fleetHub[]

@description('Whether the fleet file has `edge`. The apps then get a role of their own, with the one right to apply manifests to IoT Edge devices.')
param appliesManifests bool = false

@description('Whether the fleet file has `allocation.setScopes`. The apps then get another role of their own, with the one right to update identities of devices.')
param setsScopes bool = false

@description('Whether the fleet file has `allocation.moves.ask.method`. The apps then get another role of their own, with the one right to call direct methods.')
param callsMethods bool = false

@description('A DPS that exists already. Without it, the templates create one.')
param existingDps existingDpsPlace?

@minLength(1)
@description('Where twin sync runs. Several where twins must stay in a geography; hubs[].stamp then says which is whose.')
param stamps stampSettings[] = [
  {
    name: 'main'
    location: location
    addressPrefix: '10.40.0.0/24'
  }
]

@description('Further regions for the webhook alone. They share the state of the first stamp, and come with Azure Front Door for one URL.')
param allocatorLocations string[] = []

@description('Addresses of the network of each allocator where networkAccess is private, by region, at least a /25 each.')
param allocatorAddressPrefixes tagSet = {}

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

@allowed(['off', 'azureMonitor', 'otlp'])
@description('Where the apps send metrics: nowhere, to Application Insights, or to a receiver of OTLP.')
param metrics string = 'off'

@description('Address of the receiver where metrics is otlp, such as https://collector.contoso.com:4318. A token for it is the app setting OTEL_EXPORTER_OTLP_HEADERS.')
param otlpEndpoint string = ''

@description('Further app settings of every app, by name: those that the fleet file names, and those of the Functions host. A secret is a reference to Azure Key Vault. A deployment keeps no other setting.')
param appSettings settingSet = {}

@description('Resource ids of further user-assigned identities of every app. A deployment keeps no other identity.')
param appIdentityIds string[] = []

@description('Whether every app also has a system-assigned identity.')
param appSystemIdentity bool = false

@allowed(['auto', 'Recreate', 'RollingUpdate'])
@description('How instances are replaced by a deployment. RollingUpdate drains them first. auto: RollingUpdate in the regions where it is generally available, else Recreate.')
param siteUpdateStrategy string = 'auto'

@description('Spread the apps over availability zones. Not in every region. Two instances of each function group are then always ready, and billed.')
param zoneRedundant bool = false

@allowed(['auto', 'Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
@description('Redundancy of the storage accounts. auto: Standard_ZRS where the region has availability zones, else Standard_LRS.')
param storageRedundancy string = 'auto'

@minValue(1)
@maxValue(7)
@description('Days that the Event Hub keeps events: how long the app may be down without a gap.')
param eventRetentionDays int = 7

@minValue(7)
@maxValue(730)
@description('Days that daily exports of the state are kept, each with its versions.')
param exportRetentionDays int = 90

@minValue(1)
@maxValue(3650)
@description('Days that copies of receipts are kept in the state tables.')
param receiptRetentionDays int = 30

@minValue(1)
@maxValue(3650)
@description('Days that dead letters are kept in the state tables.')
param deadLetterRetentionDays int = 30

@minValue(30)
@maxValue(730)
@description('Days that logs are kept; they are the record of every decision.')
param logRetentionDays int = 90

@minValue(-1)
@description('Most GB of logs a day and stamp, after which nothing more is recorded that day, receipts included. -1: no cap.')
param logDailyCapGb int = -1

@description('E-mail address for alerts. Without it and without actionGroupIds, alerts are shown in the portal only, and the output WARNINGS says so.')
param alertEmail string = ''

@description('Resource ids of action groups that exist already, which alerts call: for paging, chat or tickets.')
param actionGroupIds string[] = []

@description('Ask GET /api/health of each stamp, and of Front Door, from five places every five minutes. Each run is billed.')
param availabilityTests bool = true

@description('Lock hubs, DPS and the state accounts that the templates create against deletion. Who deploys then needs the right to write locks.')
param deleteLocks bool = false

@description('Object id of who uses the berth command: Storage Table Data Contributor on the state. Empty: nobody yet.')
param operatorPrincipalId string = ''

@allowed(['', 'User', 'Group', 'ServicePrincipal'])
@description('Kind of operatorPrincipalId. Empty: the kind of the deployer, if it is the deployer; else Azure finds it.')
param operatorPrincipalType string = ''

@allowed(['keys', 'identity'])
@description('How DPS signs in to the hubs that it links. identity has not been run in Azure yet.')
param linkAuthentication string = 'keys'

@description('Id of the role of DPS on each hub where linkAuthentication is identity. Empty: IoT Hub Data Contributor, which Microsoft names for it.')
param linkRoleId string = ''

@description('Keep customer data of hubs and DPS in their regions. Only for hubs and a DPS that are made with it, and only where Azure offers it.')
param enableDataResidency bool = false

@description('Turn off the shared access policies of the hubs. Refused while DPS links by key.')
param disableLocalAuth bool = false

@description('Turn off the shared access policies of DPS, with which tools without Microsoft Entra sign in. Needs linkAuthentication identity.')
param disableDpsLocalAuth bool = false

@description('Further tags.')
param tags tagSet = {}

var token = toLower(uniqueString(subscription().id, environmentName, location))
var allTags = union(tags, {
  'azd-env-name': environmentName
})
var isPrivate = networkAccess == 'private'
var allHubs = map(hubs, hub => {
  // In lower case, because names of role assignments are computed from it.
  name: toLower(split(hub.host, '.')[0])
  region: hub.region
  tier: hub.tier
  units: hub.?units ?? 1
  stamp: hub.?stamp ?? ''
  labels: hub.?labels ?? {}
  isExisting: hub.?azure != null
  subscription: hub.?azure.?subscription ?? subscription().subscriptionId
  resourceGroup: hub.?azure.?resourceGroup ?? 'rg-${environmentName}'
})
var hasStamps = !empty(filter(allHubs, hub => !empty(hub.stamp)))

var hasAllocators = !empty(allocatorLocations)
var problems = concat(
  environmentNameProblems(environmentName),
  hubProblems(hubs, tags, subscription().subscriptionId),
  dpsProblems(existingDps),
  stampProblems(hubs, stamps),
  allocatorProblems(allocatorLocations),
  redundancyProblems(namedRegions(stamps, allocatorLocations), zoneRedundant, storageRedundancy),
  isPrivate ? rangeProblems(namedRanges(stamps, allocatorLocations, allocatorAddressPrefixes)) : [],
  commonTagProblems(tags, isPrivate || hasAllocators),
  appSettingProblems(hubs, appSettings, stamps),
  operatorProblems(operatorPrincipalId, alertEmail, actionGroupIds),
  metrics == 'otlp' && empty(otlpEndpoint)
    ? ['`metrics` is otlp and `otlpEndpoint` is empty: write the address of the receiver, or `metrics` azureMonitor.']
    : [],
  linkProblems(hubs, linkAuthentication, disableLocalAuth, disableDpsLocalAuth)
)
// deployer() gives the kind of the principal that deploys. Azure finds the kind of any other principal.
var isDeployer = operatorPrincipalId == deployer().objectId
var deployerType = empty(deployer().userPrincipalName) ? 'ServicePrincipal' : 'User'
var knownOperatorType = !empty(operatorPrincipalType) ? operatorPrincipalType : isDeployer ? deployerType : ''

// Every resource is in this group, so a problem ends the deployment before it creates anything.
resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: empty(problems) ? 'rg-${environmentName}' : fail(join(problems, ' '))
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
      appliesManifests: appliesManifests
      setsScopes: setsScopes
      callsMethods: callsMethods
      stampName: hasStamps ? stamp.name : ''
      token: token
      tags: allTags
      // azd deploys a service to one app.
      serviceName: index == 0 ? 'api' : 'api-${stamp.name}'
      networkAccess: networkAccess
      zoneNames: isPrivate ? privateDns!.outputs.zoneNames : []
      addressPrefix: stamp.?addressPrefix ?? ''
      nodeVersion: nodeVersion
      instanceMemoryMB: instanceMemoryMB
      httpAlwaysReady: httpAlwaysReady
      maximumInstances: maximumInstances
      metrics: metrics
      otlpEndpoint: otlpEndpoint
      appSettings: union(appSettings, stamp.?appSettings ?? {})
      appIdentityIds: appIdentityIds
      appSystemIdentity: appSystemIdentity
      siteUpdateStrategy: siteUpdateStrategy
      zoneRedundant: zoneRedundant
      storageRedundancy: any(redundancyIn(stamp.location, storageRedundancy))
      eventRetentionDays: eventRetentionDays
      exportRetentionDays: exportRetentionDays
      receiptRetentionDays: receiptRetentionDays
      deadLetterRetentionDays: deadLetterRetentionDays
      logRetentionDays: logRetentionDays
      logDailyCapGb: logDailyCapGb
      alertEmail: alertEmail
      actionGroupIds: actionGroupIds
      availabilityTest: availabilityTests
      deleteLocks: deleteLocks
      operatorPrincipalId: operatorPrincipalId
      operatorPrincipalType: knownOperatorType
      enableDataResidency: enableDataResidency
      disableLocalAuth: disableLocalAuth
    }
  }
]

module allocators 'modules/allocator.bicep' = [
  for region in allocatorLocations: {
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
      addressPrefix: allocatorAddressPrefixes[?region] ?? ''
      stampNetworkName: stampDeployments[0].outputs.networkName
      nodeVersion: nodeVersion
      instanceMemoryMB: instanceMemoryMB
      httpAlwaysReady: httpAlwaysReady
      maximumInstances: maximumInstances
      metrics: metrics
      otlpEndpoint: otlpEndpoint
      appSettings: appSettings
      appIdentityIds: appIdentityIds
      appSystemIdentity: appSystemIdentity
      siteUpdateStrategy: siteUpdateStrategy
      zoneRedundant: zoneRedundant
      storageRedundancy: any(redundancyIn(region, storageRedundancy))
    }
  }
]

module frontDoor 'modules/front-door.bicep' = if (hasAllocators) {
  scope: group
  name: 'front-door'
  params: {
    token: token
    tags: allTags
    stampHostName: stampDeployments[0].outputs.functionAppHostName
    allocatorHostNames: [for (region, index) in allocatorLocations: allocators[index].outputs.functionAppHostName]
    workspaceId: stampDeployments[0].outputs.workspaceId
    actionGroupIds: stampDeployments[0].outputs.actionGroupIds
  }
}

module frontDoorAvailability 'modules/availability.bicep' = if (hasAllocators && availabilityTests) {
  scope: group
  name: 'front-door-availability'
  params: {
    name: 'berth-health-front-door-${token}'
    location: stamps[0].location
    tags: allTags
    applicationInsightsId: stampDeployments[0].outputs.applicationInsightsId
    hostName: frontDoor!.outputs.hostName
    actionGroupIds: stampDeployments[0].outputs.actionGroupIds
  }
}

module dpsIdentity 'modules/identity.bicep' = if (linkAuthentication == 'identity') {
  scope: group
  name: 'dps-identity'
  params: {
    // Names of stamps have no hyphens, so none of their identities has this name.
    name: 'id-berth-link-dps-${token}'
    location: location
    tags: allTags
  }
}

module linkRoles 'modules/link-role.bicep' = [
  for hub in allHubs: if (linkAuthentication == 'identity') {
    scope: resourceGroup(hub.subscription, hub.resourceGroup)
    name: 'berth-link-${hub.name}'
    params: {
      hubName: hub.name
      principalId: dpsIdentity!.outputs.principalId
      roleId: empty(linkRoleId) ? roles.iotHubDataContributor : linkRoleId
    }
    dependsOn: [
      stampDeployments
    ]
  }
]

module dps 'modules/dps.bicep' = if (existingDps == null) {
  scope: group
  name: 'dps'
  params: {
    name: 'dps-berth-${token}'
    location: location
    tags: allTags
    linkIdentityId: linkAuthentication == 'identity' ? dpsIdentity!.outputs.id : ''
    enableDataResidency: enableDataResidency
    disableLocalAuth: disableDpsLocalAuth
  }
}

module foundDps 'modules/existing-dps.bicep' = if (existingDps != null) {
  scope: resourceGroup(existingDps.?subscription ?? subscription().subscriptionId, existingDps.?resourceGroup ?? 'none')
  name: 'berth-dps'
  params: {
    name: existingDps.?name ?? 'none'
  }
}

module dpsDiagnostics 'modules/dps-diagnostics.bicep' = {
  scope: resourceGroup(
    existingDps.?subscription ?? subscription().subscriptionId,
    existingDps.?resourceGroup ?? group.name
  )
  name: 'berth-dps-diagnostics'
  params: {
    dpsName: existingDps.?name ?? 'dps-berth-${token}'
    workspaceId: stampDeployments[0].outputs.workspaceId
  }
  dependsOn: [
    dps
  ]
}

module dpsAlerts 'modules/dps-alerts.bicep' = {
  scope: group
  name: 'dps-alerts'
  params: {
    suffix: '${stamps[0].name}-${token}'
    location: stamps[0].location
    tags: allTags
    workspaceId: stampDeployments[0].outputs.workspaceId
    actionGroupIds: stampDeployments[0].outputs.actionGroupIds
  }
}

module dpsLock 'modules/lock.bicep' = if (deleteLocks && existingDps == null) {
  scope: group
  name: 'dps-lock'
  params: {
    kind: 'dps'
    name: 'dps-berth-${token}'
  }
  dependsOn: [
    dps
  ]
}

// Only a module takes a list of outputs of modules inside of an object.
module connections 'modules/connections.bicep' = {
  scope: group
  name: 'connections'
  params: {
    networkAccess: networkAccess
    dpsId: existingDps == null ? dps!.outputs.id : foundDps!.outputs.id
    linkAuthentication: linkAuthentication
    linkIdentityId: linkAuthentication == 'identity' ? dpsIdentity!.outputs.id : ''
    stamps: [for (stamp, index) in stamps: stampDeployments[index].outputs.connection]
  }
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
output BERTH_WEBHOOK_URL string = 'https://${hasAllocators ? frontDoor!.outputs.hostName : stampDeployments[0].outputs.functionAppHostName}/api/allocate'

@description('Name of the Device Provisioning Service.')
output DPS_NAME string = existingDps.?name ?? 'dps-berth-${token}'

@description('ID scope, which devices are given.')
output DPS_ID_SCOPE string = existingDps == null ? dps!.outputs.idScope : foundDps!.outputs.idScope

@description('State tables of the first stamp: the environment variable that the berth command reads.')
output BERTH_STATE__tableServiceUri string = stampDeployments[0].outputs.stateTableUri

@description('Each stamp: name, Function App, state tables.')
output STAMPS stampOutput[] = [
  for (stamp, index) in stamps: {
    name: stamp.name
    functionApp: stampDeployments[index].outputs.functionAppName
    stateTableUri: stampDeployments[index].outputs.stateTableUri
  }
]

@description('Function Apps of the further regions; their package is deployed like the first one.')
output ALLOCATOR_APPS string[] = [for (region, index) in allocatorLocations: allocators[index].outputs.functionAppName]

@description('What Azure accepts and may still cause trouble. Read it after each deployment.')
output WARNINGS string[] = warningsOf(hubs, disableLocalAuth, empty(alertEmail) && empty(actionGroupIds))

@description('What `berth connect` connects hubs and DPS with.')
output BERTH_CONNECTIONS connectionsOutput = connections.outputs.connections
