// Zones in which the names of private services are looked up. One of each in a resource group, for all networks.

import { tagSet } from '../types.bicep'

@description('Tags.')
param tags tagSet

var blobZone = 'privatelink.blob.${environment().suffixes.storage}'
var tableZone = 'privatelink.table.${environment().suffixes.storage}'
var eventsZone = 'privatelink.servicebus.windows.net'

resource blob 'Microsoft.Network/privateDnsZones@2024-06-01' = {
  name: blobZone
  location: 'global'
  tags: tags
}

resource table 'Microsoft.Network/privateDnsZones@2024-06-01' = {
  name: tableZone
  location: 'global'
  tags: tags
}

resource events 'Microsoft.Network/privateDnsZones@2024-06-01' = {
  name: eventsZone
  location: 'global'
  tags: tags
}

@description('Names of the zones, in the order blob, table, Event Hubs.')
output zoneNames string[] = [
  blob.name
  table.name
  events.name
]
