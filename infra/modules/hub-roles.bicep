// What a stamp's Function App may do with a hub. Deployed to the resource group of the hub, which may exist already.

import { edgeDataActions, methodDataActions, roles, scopeDataActions } from '../roles.bicep'

@description('Name of the hub.')
param hubName string

@description('Principal id of the Function App that reads and writes the twins.')
param appPrincipalId string

@description('Whether the fleet file has deployments of IoT Edge, which the app applies to devices.')
param appliesManifests bool

@description('Whether the fleet file lets the app enter parents in the identities of devices.')
param setsScopes bool

@description('Whether the fleet file names a direct method that the app calls.')
param callsMethods bool

resource iotHub 'Microsoft.Devices/IotHubs@2023-06-30' existing = {
  name: hubName
}

resource twinContributorRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: iotHub
  name: guid(iotHub.id, appPrincipalId, roles.iotHubTwinContributor)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.iotHubTwinContributor)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource dataReaderRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: iotHub
  name: guid(iotHub.id, appPrincipalId, roles.iotHubDataReader)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.iotHubDataReader)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// No built-in role has this right without all others on devices. The name of a role is unique in a tenant, as the name of a
// hub is in Azure. A role of its own for each hub, because hubs may lie in several subscriptions.
resource edgeDeployer 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (appliesManifests) {
  name: guid(iotHub.id, 'berth-edge-deployer')
  properties: {
    roleName: 'Berth Edge Deployer (${hubName})'
    description: 'Applies manifests to the IoT Edge devices of ${hubName}.'
    type: 'CustomRole'
    permissions: [
      {
        actions: []
        notActions: []
        dataActions: edgeDataActions
        notDataActions: []
      }
    ]
    assignableScopes: [
      resourceGroup().id
    ]
  }
}

resource edgeDeployerRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (appliesManifests) {
  scope: iotHub
  name: guid(iotHub.id, appPrincipalId, 'berth-edge-deployer')
  properties: {
    roleDefinitionId: edgeDeployer.id
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// A role of its own, because it can do much more than apply manifests: whoever may update an identity may disable a device.
resource scopeWriter 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (setsScopes) {
  name: guid(iotHub.id, 'berth-scope-writer')
  properties: {
    roleName: 'Berth Scope Writer (${hubName})'
    description: 'Enters the parents of devices behind IoT Edge gateways in the identities of ${hubName}.'
    type: 'CustomRole'
    permissions: [
      {
        actions: []
        notActions: []
        dataActions: scopeDataActions
        notDataActions: []
      }
    ]
    assignableScopes: [
      resourceGroup().id
    ]
  }
}

resource scopeWriterRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (setsScopes) {
  scope: iotHub
  name: guid(iotHub.id, appPrincipalId, 'berth-scope-writer')
  properties: {
    roleDefinitionId: scopeWriter.id
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// A role of its own, because a direct method can do whatever the firmware of a device allows.
resource methodCaller 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (callsMethods) {
  name: guid(iotHub.id, 'berth-method-caller')
  properties: {
    roleName: 'Berth Method Caller (${hubName})'
    description: 'Calls the direct method that asks the devices of ${hubName} to move.'
    type: 'CustomRole'
    permissions: [
      {
        actions: []
        notActions: []
        dataActions: methodDataActions
        notDataActions: []
      }
    ]
    assignableScopes: [
      resourceGroup().id
    ]
  }
}

resource methodCallerRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (callsMethods) {
  scope: iotHub
  name: guid(iotHub.id, appPrincipalId, 'berth-method-caller')
  properties: {
    roleDefinitionId: methodCaller.id
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}
