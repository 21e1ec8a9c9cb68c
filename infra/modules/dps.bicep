// The Device Provisioning Service, linked with every hub.
//
// Enrollments are data, not resources: make them with `az iot dps enrollment-group create` (infra/README.md). The policy
// of the instance cannot be custom; an enrollment's can.
//
// Deploying replaces the list of linked hubs: what is not in `hubs` is unlinked, and its devices stay where they are.

import { hubSettings, tagSet } from '../types.bicep'

@description('Name of the service.')
param name string

@description('Azure region.')
param location string

@description('Tags.')
param tags tagSet

@description('The hubs to link.')
param hubs hubSettings[]

@description('Shared access policy of the hubs that DPS uses. It needs RegistryWrite and ServiceConnect, which of the policies that every hub has only this one has.')
param linkPolicy string = 'iothubowner'

@allowed(['keys', 'identity'])
@description('How DPS signs in to the hubs.')
param linkAuthentication string

@description('Resource id of the identity that DPS signs in with; empty: it uses keys.')
param linkIdentityId string

@description('Principal id of that identity.')
param linkPrincipalId string

@description('Role of that identity on each hub.')
param linkRoleId string

@description('Keep customer data in the region.')
param enableDataResidency bool

@description('Turn off the shared access policies of DPS.')
param disableLocalAuth bool

var isByIdentity = linkAuthentication == 'identity'
var sku = {
  name: 'S1'
  capacity: 1
}
resource hubResources 'Microsoft.Devices/IotHubs@2023-06-30' existing = [
  for hub in hubs: {
    name: hub.name
  }
]

// Weights are Berth's: DPS neither applies nor sends its own where the policy is custom.
resource dpsByKeys 'Microsoft.Devices/provisioningServices@2022-12-12' = if (!isByIdentity) {
  name: name
  location: location
  tags: tags
  sku: sku
  properties: {
    allocationPolicy: 'Hashed'
    publicNetworkAccess: 'Enabled'
    // Only on demand: Azure takes it at creation only, and not in every region.
    enableDataResidency: enableDataResidency ? true : null
    iotHubs: [
      for (hub, index) in hubs: {
        location: hub.region
        connectionString: 'HostName=${hubResources[index].properties.hostName};SharedAccessKeyName=${linkPolicy};SharedAccessKey=${first(filter(hubResources[index].listKeys().value, key => key.keyName == linkPolicy))!.primaryKey}'
      }
    ]
  }
}

resource linkRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (hub, index) in hubs: if (isByIdentity) {
    scope: hubResources[index]
    name: guid(hubResources[index].id, linkPrincipalId, linkRoleId)
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', linkRoleId)
      principalId: linkPrincipalId
      principalType: 'ServicePrincipal'
    }
  }
]

// The first API version that links by identity. DPS gets a user-assigned identity, because its roles must exist before the
// links, and a system-assigned identity exists only after DPS does.
resource dpsByIdentity 'Microsoft.Devices/provisioningServices@2026-08-31' = if (isByIdentity) {
  name: name
  location: location
  tags: tags
  sku: sku
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${linkIdentityId}': {}
    }
  }
  properties: {
    allocationPolicy: 'Hashed'
    publicNetworkAccess: 'Enabled'
    disableLocalAuth: disableLocalAuth
    enableDataResidency: enableDataResidency ? true : null
    iotHubs: [
      for (hub, index) in hubs: {
        location: hub.region
        hostName: hubResources[index].properties.hostName
        authenticationType: 'UserAssigned'
        selectedUserAssignedIdentityResourceId: linkIdentityId
      }
    ]
  }
  dependsOn: [
    linkRoles
  ]
}

@description('Name.')
output name string = name

@description('What devices are given to find the service.')
output idScope string = isByIdentity ? dpsByIdentity!.properties.idScope : dpsByKeys!.properties.idScope
