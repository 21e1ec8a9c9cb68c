// A stamp: the Function App with everything that it keeps and reads, and the hubs that it reconciles.

import { hubSettings, settingSet, stampConnection, stampSettings, tagSet } from '../types.bicep'

@description('The stamp.')
param stamp stampSettings

@description('The hubs of this stamp.')
param hubs hubSettings[]

@description('Whether the fleet file has deployments of IoT Edge.')
param appliesManifests bool

@description('Whether the fleet file lets Berth enter parents in the identities of devices.')
param setsScopes bool

@description('Whether the fleet file names a direct method that asks devices to move.')
param callsMethods bool

@description('Value of BERTH_STAMP; empty: the fleet has no stamps, and this reconciles all hubs.')
param stampName string

@description('Makes names unique.')
param token string

@description('Tags.')
param tags tagSet

@description('Service of azure.yaml that azd deploys here.')
param serviceName string

@allowed(['public', 'private'])
@description('private: storage and Event Hubs are reachable through private endpoints only.')
param networkAccess string

@description('Zones of private-dns.bicep: blob, table, Event Hubs. Empty where networkAccess is public.')
param zoneNames string[]

@description('Addresses of the stamp\'s network, where networkAccess is private.')
param addressPrefix string

@allowed(['22', '24'])
@description('Version of Node.js.')
param nodeVersion string

@allowed([512, 2048, 4096])
@description('Memory of an instance, MB.')
param instanceMemoryMB int

@description('Instances that are always ready for the webhook.')
param httpAlwaysReady int

@description('Most instances.')
param maximumInstances int

@allowed(['off', 'azureMonitor', 'otlp'])
@description('Where metrics go.')
param metrics string

@description('Address of the receiver of OTLP; empty: none.')
param otlpEndpoint string

@description('Further app settings.')
param appSettings settingSet

@description('Further user-assigned identities of the app.')
param appIdentityIds string[]

@description('Whether the app also has a system-assigned identity.')
param appSystemIdentity bool

@allowed(['auto', 'Recreate', 'RollingUpdate'])
@description('How instances are replaced.')
param siteUpdateStrategy string

@description('Spread over availability zones.')
param zoneRedundant bool

@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
@description('Redundancy of the storage accounts.')
param storageRedundancy string

@description('Days that events are kept.')
param eventRetentionDays int

@description('Days that exports of the state are kept.')
param exportRetentionDays int

@description('Days that receipts are kept.')
param receiptRetentionDays int

@description('Days that dead letters are kept.')
param deadLetterRetentionDays int

@description('Days that logs are kept.')
param logRetentionDays int

@description('Most GB of logs a day; -1: no cap.')
param logDailyCapGb int

@description('Address that alerts are sent to; empty: none.')
param alertEmail string

@description('Action groups that exist already.')
param actionGroupIds string[]

@description('Ask the health of the app from outside.')
param availabilityTest bool

@description('Lock the hubs and the state account against deletion.')
param deleteLocks bool

@description('Who may use the berth command; empty: nobody.')
param operatorPrincipalId string

@description('What operatorPrincipalId is; empty: Azure looks it up.')
param operatorPrincipalType string

@description('Keep customer data of the hubs in their regions.')
param enableDataResidency bool

@description('Turn off the shared access policies of the hubs.')
param disableLocalAuth bool

var suffix = '${stamp.name}-${token}'
var eventHubName = 'twin-events'
var consumerGroupName = 'berth'
var packageContainer = 'package'
var partitionCount = stamp.?partitions ?? 4
var isPrivate = networkAccess == 'private'

module appIdentity 'identity.bicep' = {
  name: 'app-identity-${stamp.name}'
  params: {
    name: 'id-berth-${suffix}'
    location: stamp.location
    tags: tags
  }
}

module routingIdentity 'identity.bicep' = {
  name: 'routing-identity-${stamp.name}'
  params: {
    name: 'id-berth-route-${suffix}'
    location: stamp.location
    tags: tags
  }
}

module monitoring 'monitoring.bicep' = {
  name: 'monitoring-${stamp.name}'
  params: {
    suffix: suffix
    location: stamp.location
    tags: tags
    retentionInDays: logRetentionDays
    dailyCapGb: logDailyCapGb
    publisherPrincipalIds: [
      appIdentity.outputs.principalId
    ]
    alertEmail: alertEmail
    actionGroupIds: actionGroupIds
  }
}

module events 'events.bicep' = {
  name: 'events-${stamp.name}'
  params: {
    name: 'evhns-berth-${suffix}'
    location: stamp.location
    tags: tags
    eventHubName: eventHubName
    consumerGroupName: consumerGroupName
    partitionCount: partitionCount
    retentionInDays: eventRetentionDays
    throughputUnits: stamp.?throughputUnits ?? 1
    receiverPrincipalId: appIdentity.outputs.principalId
    senderPrincipalId: routingIdentity.outputs.principalId
    networkAccess: networkAccess
    subnetId: isPrivate ? network!.outputs.endpointSubnetId : ''
    workspaceId: monitoring.outputs.workspaceId
  }
}

// The host's own account. Restarting the host or losing its leases never touches the state.
module hostStorage 'storage.bicep' = {
  name: 'host-storage-${stamp.name}'
  params: {
    name: 'sthost${uniqueString(token, stamp.name)}'
    location: stamp.location
    tags: tags
    redundancy: storageRedundancy
    containers: [
      packageContainer
    ]
    blobOwners: [
      appIdentity.outputs.principalId
    ]
    networkAccess: networkAccess
  }
}

// Twins, receipts, overrides, dead letters. Who may read it may read them all.
module stateStorage 'storage.bicep' = {
  name: 'state-storage-${stamp.name}'
  params: {
    name: 'ststate${uniqueString(token, stamp.name)}'
    location: stamp.location
    tags: tags
    redundancy: storageRedundancy
    tableContributors: [
      appIdentity.outputs.principalId
    ]
    operatorPrincipalId: operatorPrincipalId
    operatorPrincipalType: operatorPrincipalType
    networkAccess: networkAccess
  }
}

module exports 'exports.bicep' = {
  name: 'exports-${stamp.name}'
  params: {
    name: 'stexport${uniqueString(token, stamp.name)}'
    stampName: stamp.name
    location: stamp.location
    tags: tags
    redundancy: storageRedundancy
    retentionDays: exportRetentionDays
    writerPrincipalId: appIdentity.outputs.principalId
    readerPrincipalId: operatorPrincipalId
    readerPrincipalType: operatorPrincipalType
    networkAccess: networkAccess
  }
}

module network 'network.bicep' = if (isPrivate) {
  name: 'network-${stamp.name}'
  params: {
    suffix: suffix
    location: stamp.location
    tags: tags
    addressPrefix: addressPrefix
    zoneNames: zoneNames
  }
}

module hostBlobEndpoint 'private-endpoint.bicep' = if (isPrivate) {
  name: 'host-blob-endpoint-${stamp.name}'
  params: {
    name: 'pe-host-blob-${suffix}'
    location: stamp.location
    tags: tags
    subnetId: network!.outputs.endpointSubnetId
    serviceId: hostStorage.outputs.id
    groupId: 'blob'
    zoneName: zoneNames[?0] ?? ''
  }
}

module stateTableEndpoint 'private-endpoint.bicep' = if (isPrivate) {
  name: 'state-table-endpoint-${stamp.name}'
  params: {
    name: 'pe-state-table-${suffix}'
    location: stamp.location
    tags: tags
    subnetId: network!.outputs.endpointSubnetId
    serviceId: stateStorage.outputs.id
    groupId: 'table'
    zoneName: zoneNames[?1] ?? ''
  }
}

module exportsBlobEndpoint 'private-endpoint.bicep' = if (isPrivate) {
  name: 'exports-blob-endpoint-${stamp.name}'
  params: {
    name: 'pe-exports-blob-${suffix}'
    location: stamp.location
    tags: tags
    subnetId: network!.outputs.endpointSubnetId
    serviceId: exports.outputs.id
    groupId: 'blob'
    zoneName: zoneNames[?0] ?? ''
  }
}

module eventsEndpoint 'private-endpoint.bicep' = if (isPrivate) {
  name: 'events-endpoint-${stamp.name}'
  params: {
    name: 'pe-events-${suffix}'
    location: stamp.location
    tags: tags
    subnetId: network!.outputs.endpointSubnetId
    serviceId: events.outputs.id
    groupId: 'namespace'
    zoneName: zoneNames[?2] ?? ''
  }
}

module functionApp 'function-app.bicep' = {
  name: 'function-app-${stamp.name}'
  params: {
    name: 'func-berth-${suffix}'
    planName: 'plan-berth-${suffix}'
    location: stamp.location
    tags: tags
    serviceName: serviceName
    identityId: appIdentity.outputs.id
    identityClientId: appIdentity.outputs.clientId
    hostBlobEndpoint: hostStorage.outputs.blobEndpoint
    packageContainer: packageContainer
    stateAccountName: stateStorage.outputs.name
    exportsAccountName: exports.outputs.name
    receiptRetentionDays: receiptRetentionDays
    deadLetterRetentionDays: deadLetterRetentionDays
    applicationInsightsConnectionString: monitoring.outputs.connectionString
    eventsHostName: events.outputs.hostName
    eventHubName: eventHubName
    consumerGroupName: consumerGroupName
    partitionCount: partitionCount
    stampName: stampName
    subnetId: isPrivate ? network!.outputs.appSubnetId : ''
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
  }
  // The app starts as soon as it is there, and looks for its state and package through these.
  dependsOn: [
    hostBlobEndpoint
    stateTableEndpoint
    exportsBlobEndpoint
    eventsEndpoint
  ]
}

@batchSize(5)
module iotHubs 'hub.bicep' = [
  for hub in filter(hubs, hub => !hub.isExisting): {
    name: 'hub-${hub.name}'
    params: {
      hub: hub
      tags: tags
      namespaceName: events.outputs.name
      eventHubName: eventHubName
      routingIdentityId: routingIdentity.outputs.id
      enableDataResidency: enableDataResidency
      disableLocalAuth: disableLocalAuth
    }
  }
]

module hubRoles 'hub-roles.bicep' = [
  for hub in hubs: {
    scope: resourceGroup(hub.subscription, hub.resourceGroup)
    name: 'berth-roles-${hub.name}'
    params: {
      hubName: hub.name
      appPrincipalId: appIdentity.outputs.principalId
      appliesManifests: appliesManifests
      setsScopes: setsScopes
      callsMethods: callsMethods
    }
    dependsOn: [
      iotHubs
    ]
  }
]

module hubDiagnostics 'hub-diagnostics.bicep' = [
  for hub in hubs: {
    scope: resourceGroup(hub.subscription, hub.resourceGroup)
    name: 'berth-logs-${hub.name}'
    params: {
      hubName: hub.name
      workspaceId: monitoring.outputs.workspaceId
    }
    dependsOn: [
      iotHubs
    ]
  }
]

module hubLocks 'lock.bicep' = [
  for hub in filter(hubs, hub => !hub.isExisting): if (deleteLocks) {
    name: 'lock-${hub.name}'
    params: {
      kind: 'hub'
      name: hub.name
    }
    dependsOn: [
      iotHubs
    ]
  }
]

module stateLock 'lock.bicep' = if (deleteLocks) {
  name: 'state-lock-${stamp.name}'
  params: {
    kind: 'storage'
    name: stateStorage.outputs.name
  }
}

module alerts 'alerts.bicep' = {
  name: 'alerts-${stamp.name}'
  params: {
    suffix: suffix
    location: stamp.location
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
    actionGroupIds: monitoring.outputs.actionGroupIds
  }
}

module hubAlerts 'hub-alerts.bicep' = {
  name: 'alerts-of-hubs-${stamp.name}'
  params: {
    suffix: suffix
    tags: tags
    hubs: hubs
    namespaceId: events.outputs.id
    actionGroupIds: monitoring.outputs.actionGroupIds
  }
  dependsOn: [
    iotHubs
  ]
}

module availability 'availability.bicep' = if (availabilityTest) {
  name: 'availability-${stamp.name}'
  params: {
    name: 'berth-health-${suffix}'
    location: stamp.location
    tags: tags
    applicationInsightsId: monitoring.outputs.applicationInsightsId
    hostName: functionApp.outputs.hostName
    actionGroupIds: monitoring.outputs.actionGroupIds
  }
}

module workbook 'workbook.bicep' = {
  name: 'workbook-${stamp.name}'
  params: {
    displayName: 'Berth ${stamp.name}'
    location: stamp.location
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
  }
}

@description('Name of the Function App.')
output functionAppName string = functionApp.outputs.name

@description('Host name of the Function App.')
output functionAppHostName string = functionApp.outputs.hostName

@description('Name of the state storage account.')
output stateAccountName string = stateStorage.outputs.name

@description('What the berth command takes as BERTH_STATE__tableServiceUri.')
output stateTableUri string = 'https://${stateStorage.outputs.name}.table.${environment().suffixes.storage}'

@description('Log Analytics workspace.')
output workspaceId string = monitoring.outputs.workspaceId

@description('Resource ids of the action groups that alerts call.')
output actionGroupIds string[] = monitoring.outputs.actionGroupIds

@description('Resource id of the Application Insights component.')
output applicationInsightsId string = monitoring.outputs.applicationInsightsId

@description('Name of the Application Insights component.')
output applicationInsightsName string = monitoring.outputs.applicationInsightsName

@description('Connection string of Application Insights.')
output applicationInsightsConnectionString string = monitoring.outputs.connectionString

@description('Name of the network; empty where networkAccess is public.')
output networkName string = isPrivate ? network!.outputs.name : ''

@description('What hubs are connected with.')
output connection stampConnection = {
  name: stampName
  eventHubId: resourceId('Microsoft.EventHub/namespaces/eventhubs', 'evhns-berth-${suffix}', eventHubName)
  endpointUri: 'sb://${events.outputs.hostName}'
  eventHubName: eventHubName
  routingIdentityId: routingIdentity.outputs.id
}
