// Lets the identity of DPS sign in to a hub. Deployed to the resource group of the hub, which may exist already.

@description('Name of the hub.')
param hubName string

@description('Principal id of the identity.')
param principalId string

@description('Role of the identity on the hub.')
param roleId string

resource iotHub 'Microsoft.Devices/IotHubs@2023-06-30' existing = {
  name: hubName
}

resource linkRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: iotHub
  name: guid(iotHub.id, principalId, roleId)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleId)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}
