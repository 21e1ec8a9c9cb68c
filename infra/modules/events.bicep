// The Event Hub that a stamp's hubs send twin changes to. The built-in endpoint of an IoT hub takes keys only, so a
// function without a key reads from an Event Hub of its own.

import { roles } from '../roles.bicep'
import { tagSet } from '../types.bicep'

@description('Name of the namespace.')
param name string

@description('Azure region.')
param location string

@description('Tags.')
param tags tagSet

@description('Name of the Event Hub: the setting TWIN_EVENTS_NAME.')
param eventHubName string

@description('Consumer group of syncTwins, which nobody else may read with: the setting TWIN_EVENTS_CONSUMER_GROUP.')
param consumerGroupName string

@minValue(1)
@maxValue(32)
@description('Partitions. Cannot be changed later in the Standard tier.')
param partitionCount int

@minValue(1)
@maxValue(7)
@description('Days that events are kept: how long an outage of the app or of its state may be.')
param retentionInDays int

@minValue(1)
@maxValue(40)
@description('Throughput units; one takes in 1 MB or 1,000 events a second.')
param throughputUnits int

@description('Principal id of the app that reads.')
param receiverPrincipalId string

@description('Principal id that the hubs send with.')
param senderPrincipalId string

@allowed(['public', 'private'])
@description('private: reachable through a private endpoint, from the subnet, and by the hubs as trusted services.')
param networkAccess string

@description('Subnet that the firewall lets in, where networkAccess is private.')
param subnetId string

@description('Log Analytics workspace for the metrics; alerts compare what comes in with what is read.')
param workspaceId string

resource namespace 'Microsoft.EventHub/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: 'Standard'
    tier: 'Standard'
    capacity: throughputUnits
  }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    isAutoInflateEnabled: false
    // No page of Microsoft says that trusted services get in if public access is disabled.
    publicNetworkAccess: 'Enabled'
  }
}

// private: selected networks. Without any rule the namespace would accept every network.
resource networkRules 'Microsoft.EventHub/namespaces/networkRuleSets@2024-01-01' = {
  parent: namespace
  name: 'default'
  properties: {
    defaultAction: networkAccess == 'private' ? 'Deny' : 'Allow'
    publicNetworkAccess: 'Enabled'
    virtualNetworkRules: networkAccess == 'private'
      ? [
          {
            subnet: {
              id: subnetId
            }
            ignoreMissingVnetServiceEndpoint: true
          }
        ]
      : []
    // How IoT hubs get through: with their own, system-assigned identity.
    trustedServiceAccessEnabled: true
  }
}

resource eventHub 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' = {
  parent: namespace
  name: eventHubName
  properties: {
    partitionCount: partitionCount
    messageRetentionInDays: retentionInDays
  }
}

resource consumerGroup 'Microsoft.EventHub/namespaces/eventhubs/consumergroups@2024-01-01' = {
  parent: eventHub
  name: consumerGroupName
}

resource receiverRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: eventHub
  name: guid(eventHub.id, receiverPrincipalId, roles.eventHubsDataReceiver)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.eventHubsDataReceiver)
    principalId: receiverPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource senderRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: eventHub
  name: guid(eventHub.id, senderPrincipalId, roles.eventHubsDataSender)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.eventHubsDataSender)
    principalId: senderPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: namespace
  name: 'metrics'
  properties: {
    workspaceId: workspaceId
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}

@description('Resource id of the namespace.')
output id string = namespace.id

@description('Name of the namespace.')
output name string = namespace.name

@description('Host name: the setting TWIN_EVENTS__fullyQualifiedNamespace.')
output hostName string = '${namespace.name}.servicebus.windows.net'
