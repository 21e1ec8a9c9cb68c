// Alerts on the metrics of hubs and of the Event Hub that they send to. They look from outside: they work when the app does
// not. None of them takes missing data as a sign, because Azure does not say what a rule does then.

import { hubSettings, tagSet } from '../types.bicep'

@description('Part of every name.')
param suffix string

@description('Tags.')
param tags tagSet

@description('The hubs.')
param hubs hubSettings[]

@description('Resource id of the Event Hubs namespace.')
param namespaceId string

@description('Action groups to call.')
param actionGroupIds string[]

// Messages of 4 KB a day and unit (F1: 0.5 KB, and one unit only).
var dailyMessages = {
  F1: 8000
  S1: 400000
  S2: 6000000
  S3: 300000000
}
var hubIds = map(hubs, hub => resourceId(hub.subscription, hub.resourceGroup, 'Microsoft.Devices/IotHubs', hub.name))

module quota 'metric-alert.bicep' = [
  for (hub, index) in hubs: {
    name: 'quota-alert-${hub.name}'
    params: {
      name: 'berth-quota-${hub.name}'
      tags: tags
      text: 'The hub has used four fifths of the messages of this day. When they are spent it takes none until 00:00 UTC.'
      severity: 2
      resourceId: hubIds[index]
      frequency: 'PT15M'
      window: 'PT1H'
      condition: {
        namespace: 'Microsoft.Devices/IotHubs'
        metric: 'dailyMessageQuotaUsed'
        aggregation: 'Maximum'
        operator: 'GreaterThan'
        threshold: dailyMessages[hub.tier] * hub.units / 5 * 4
      }
      actionGroupIds: actionGroupIds
    }
  }
]

module routing 'metric-alert.bicep' = [
  for (hub, index) in hubs: {
    name: 'routing-alert-${hub.name}'
    params: {
      name: 'berth-routing-${hub.name}'
      tags: tags
      text: 'The hub could not deliver messages to the endpoint berth-twin-events: its identity, the firewall or the Event Hub (docs/operations.md, A hub is silent).'
      severity: 1
      resourceId: hubIds[index]
      frequency: 'PT5M'
      window: 'PT15M'
      condition: {
        namespace: 'Microsoft.Devices/IotHubs'
        metric: 'RoutingDeliveries'
        dimensions: [
          {
            name: 'EndpointName'
            operator: 'Include'
            values: [
              'berth-twin-events'
            ]
          }
          {
            name: 'Result'
            operator: 'Include'
            values: [
              'failure'
            ]
          }
        ]
        aggregation: 'Total'
        operator: 'GreaterThan'
        threshold: 0
      }
      actionGroupIds: actionGroupIds
    }
  }
]

var eventHubMetrics = [
  {
    key: 'events-throttled'
    metric: 'ThrottledRequests'
    text: 'The Event Hubs namespace refuses requests, because they are more than its throughput units take. Raise stamps[].throughputUnits.'
  }
  {
    key: 'events-quota'
    metric: 'QuotaExceededErrors'
    text: 'The Event Hubs namespace refuses requests, because a quota is used up: connections, or readers of a consumer group.'
  }
]

module eventHub 'metric-alert.bicep' = [
  for each in eventHubMetrics: {
    name: '${each.key}-alert-${suffix}'
    params: {
      name: 'berth-${each.key}-${suffix}'
      tags: tags
      text: each.text
      severity: 2
      resourceId: namespaceId
      frequency: 'PT5M'
      window: 'PT15M'
      condition: {
        namespace: 'Microsoft.EventHub/namespaces'
        metric: each.metric
        aggregation: 'Total'
        operator: 'GreaterThan'
        threshold: 0
      }
      actionGroupIds: actionGroupIds
    }
  }
]
