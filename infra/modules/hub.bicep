// An IoT hub whose twin changes and device lifecycle events go, unfiltered, to the Event Hub of its stamp.
//
// Deploying replaces the routes of the hub: routes and endpoints that were made by hand are removed.

import { roles } from '../roles.bicep'
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

@description('Principal id of the Function App that reads and writes the twins.')
param appPrincipalId string

@allowed(['public', 'private'])
@description('private: the Event Hub has a firewall, which only the hub\'s own identity gets through.')
param networkAccess string

@description('Keep customer data in the region.')
param enableDataResidency bool

@description('Turn off the shared access policies of the hub, with which tools and links by key sign in.')
param disableLocalAuth bool

var endpointName = 'twin-events'

// Azure takes minTlsVersion only when a hub is created, and only in these regions of the public cloud (Microsoft,
// iot-hub-tls-support).
var minTlsRegions = ['eastus', 'southcentralus', 'westus2']

resource iotHub 'Microsoft.Devices/IotHubs@2023-06-30' = {
  name: hub.name
  location: hub.region
  tags: union(tags, hub.labels)
  sku: {
    name: any(hub.tier)
    capacity: hub.units
  }
  // A role must be there before an endpoint that needs it. The shared identity has its role already; the hub's own
  // identity exists only once the hub does, so endpoints use it from the second deployment on (networkAccess: private).
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
      endpoints: {
        eventHubs: [
          {
            name: endpointName
            authenticationType: 'identityBased'
            identity: networkAccess == 'private'
              ? null
              : {
                  userAssignedIdentity: routingIdentityId
                }
            endpointUri: 'sb://${namespaceName}.servicebus.windows.net'
            entityPath: eventHubName
            subscriptionId: subscription().subscriptionId
            resourceGroup: resourceGroup().name
          }
        ]
      }
      // No conditions: a route that leaves events out makes gaps, and every gap costs a read.
      routes: [
        {
          name: 'twin-changes'
          source: 'TwinChangeEvents'
          condition: 'true'
          endpointNames: [
            endpointName
          ]
          isEnabled: true
        }
        {
          name: 'device-lifecycle'
          source: 'DeviceLifecycleEvents'
          condition: 'true'
          endpointNames: [
            endpointName
          ]
          isEnabled: true
        }
      ]
      // Telemetry goes on to the built-in endpoint; without this the first route would stop it.
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
