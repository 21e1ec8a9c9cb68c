// A private endpoint of one service, with its name in a zone.

import { tagSet } from '../types.bicep'

@description('Name.')
param name string

@description('Azure region of the network.')
param location string

@description('Tags.')
param tags tagSet

@description('Subnet.')
param subnetId string

@description('Resource id of the service.')
param serviceId string

@allowed(['blob', 'table', 'namespace'])
@description('Which part of the service.')
param groupId string

@description('Zone of the name.')
param zoneName string

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' existing = {
  name: zoneName
}

resource endpoint 'Microsoft.Network/privateEndpoints@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    subnet: {
      id: subnetId
    }
    privateLinkServiceConnections: [
      {
        name: groupId
        properties: {
          privateLinkServiceId: serviceId
          groupIds: [
            groupId
          ]
        }
      }
    ]
  }
}

resource zoneGroup 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-05-01' = {
  parent: endpoint
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: groupId
        properties: {
          privateDnsZoneId: zone.id
        }
      }
    ]
  }
}
