// The webhook once more, in another region, so that devices register while a region is down. It shares the state of a
// stamp: both then know the same overrides and counts, and decide alike. It reconciles nothing.

import { settingSet, tagSet } from '../types.bicep'

@description('Azure region.')
param location string

@description('Makes names unique.')
param token string

@description('Tags.')
param tags tagSet

@description('Service of azure.yaml that azd would deploy here.')
param serviceName string

@description('Storage account of the stamp\'s state.')
param stateAccountName string

@description('Application Insights of the stamp.')
param applicationInsightsName string

@description('Connection string of that Application Insights.')
param applicationInsightsConnectionString string

@allowed(['public', 'private'])
@description('private: storage is reached through private endpoints.')
param networkAccess string

@description('Zones of private-dns.bicep: blob, table, Event Hubs. Empty where networkAccess is public.')
param zoneNames string[]

@description('Addresses of the network, where networkAccess is private.')
param addressPrefix string

@description('Network of the stamp, where the private endpoint of the state is; empty where networkAccess is public.')
param stampNetworkName string

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
@description('Redundancy of the storage account.')
param storageRedundancy string

var suffix = 'alloc-${location}-${token}'
var packageContainer = 'package'
var isPrivate = networkAccess == 'private'

module identity 'identity.bicep' = {
  name: 'allocator-identity-${location}'
  params: {
    name: 'id-berth-${suffix}'
    location: location
    tags: tags
  }
}

module hostStorage 'storage.bicep' = {
  name: 'allocator-storage-${location}'
  params: {
    name: 'stalloc${uniqueString(token, location)}'
    location: location
    tags: tags
    redundancy: storageRedundancy
    containers: [
      packageContainer
    ]
    blobOwners: [
      identity.outputs.principalId
    ]
    networkAccess: networkAccess
  }
}

module access 'allocator-access.bicep' = {
  name: 'allocator-access-${location}'
  params: {
    principalId: identity.outputs.principalId
    stateAccountName: stateAccountName
    applicationInsightsName: applicationInsightsName
  }
}

module network 'network.bicep' = if (isPrivate) {
  name: 'allocator-network-${location}'
  params: {
    suffix: suffix
    location: location
    tags: tags
    addressPrefix: addressPrefix
    zoneNames: zoneNames
  }
}

module peeringToStamp 'peering.bicep' = if (isPrivate) {
  name: 'allocator-peering-out-${location}'
  params: {
    name: 'to-stamp'
    fromNetworkName: network!.outputs.name
    toNetworkName: stampNetworkName
  }
}

module peeringFromStamp 'peering.bicep' = if (isPrivate) {
  name: 'allocator-peering-in-${location}'
  params: {
    name: 'to-${suffix}'
    fromNetworkName: stampNetworkName
    toNetworkName: network!.outputs.name
  }
}

module hostBlobEndpoint 'private-endpoint.bicep' = if (isPrivate) {
  name: 'allocator-blob-endpoint-${location}'
  params: {
    name: 'pe-host-blob-${suffix}'
    location: location
    tags: tags
    subnetId: network!.outputs.endpointSubnetId
    serviceId: hostStorage.outputs.id
    groupId: 'blob'
    zoneName: zoneNames[?0] ?? ''
  }
}

module functionApp 'function-app.bicep' = {
  name: 'allocator-app-${location}'
  params: {
    name: 'func-berth-${suffix}'
    planName: 'plan-berth-${suffix}'
    location: location
    tags: tags
    serviceName: serviceName
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    hostBlobEndpoint: hostStorage.outputs.blobEndpoint
    packageContainer: packageContainer
    stateAccountName: stateAccountName
    applicationInsightsConnectionString: applicationInsightsConnectionString
    // A stamp that no hub has: even if these two ran, they would find nothing to do.
    stampName: 'allocator'
    disabledFunctions: [
      'syncTwins'
      'resyncFleet'
    ]
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
  dependsOn: [
    access
    hostBlobEndpoint
    peeringToStamp
    peeringFromStamp
  ]
}

@description('Name of the Function App.')
output functionAppName string = functionApp.outputs.name

@description('Host name of the Function App.')
output functionAppHostName string = functionApp.outputs.hostName
