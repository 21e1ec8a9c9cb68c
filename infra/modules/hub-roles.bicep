// What a stamp's Function App may do with a hub. Deployed to the resource group of the hub, which may exist already.

import { roles } from '../roles.bicep'

@description('Name of the hub.')
param hubName string

@description('Principal id of the Function App that reads and writes the twins.')
param appPrincipalId string

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
