// An IoT hub. It is created once, and no later deployment writes it: a write replaces everything that it does not list, such
// as routes, IP filters and file upload that others have set. `berth connect` makes every later change: Berth's endpoint and
// routes, tier and units.

import { hubSettings, tagSet } from '../types.bicep'

@description('The hub.')
param hub hubSettings

@description('Tags.')
param tags tagSet

@description('Event Hubs namespace of the stamp.')
param namespaceName string

@description('Event Hub of the stamp.')
param eventHubName string

@description('Resource id of the identity that the hub sends with.')
param routingIdentityId string

@description('Keep customer data in the region.')
param enableDataResidency bool

@description('Turn off the shared access policies of the hub, with which tools and links by key sign in.')
param disableLocalAuth bool

// Azure takes minTlsVersion only when a hub is created, and only in these regions of the public cloud (Microsoft,
// iot-hub-tls-support).
var minTlsRegions = ['eastus', 'southcentralus', 'westus2']

@onlyIfNotExists()
resource iotHub 'Microsoft.Devices/IotHubs@2023-06-30' = {
  name: hub.name
  location: hub.region
  tags: union(tags, hub.labels)
  sku: {
    name: any(hub.tier)
    capacity: hub.units
  }
  // Where networkAccess is public, the endpoint signs in with the shared identity, whose role is there already. Where it is
  // private, the endpoint signs in with the hub's own identity.
  identity: {
    type: 'SystemAssigned, UserAssigned'
    userAssignedIdentities: {
      '${routingIdentityId}': {}
    }
  }
  properties: {
    ...(contains(minTlsRegions, hub.region)
      ? {
          minTlsVersion: '1.2'
        }
      : {})
    ...(enableDataResidency
      ? {
          enableDataResidency: true
        }
      : {})
    // DPS needs the shared access policies if it links by key. Devices keep their keys and certificates either way.
    disableLocalAuth: disableLocalAuth
    publicNetworkAccess: 'Enabled'
    routing: {
      // Telemetry goes to the built-in endpoint; without this the first route would stop it.
      fallbackRoute: {
        name: '$fallback'
        source: 'DeviceMessages'
        condition: 'true'
        endpointNames: [
          'events'
        ]
        isEnabled: true
      }
    }
  }
}

// A module, because the name of a role assignment must contain its principal, and the hub's own identity is known only
// after the hub exists. A hub that is deleted and created again has another identity.
module ownSenderRole 'sender-role.bicep' = {
  name: 'sender-role-${hub.name}'
  params: {
    principalId: iotHub.identity.principalId
    namespaceName: namespaceName
    eventHubName: eventHubName
  }
}
