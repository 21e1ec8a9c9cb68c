// Alerts by queries over a workspace.

import { logAlert, tagSet } from '../types.bicep'

@description('Part of every name.')
param suffix string

@description('Azure region of the workspace.')
param location string

@description('Tags.')
param tags tagSet

@description('Log Analytics workspace.')
param workspaceId string

@description('The alerts.')
param alerts logAlert[]

@description('Action groups to call.')
param actionGroupIds string[]

resource logAlerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for alert in alerts: {
    name: 'berth-${alert.key}-${suffix}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: '${alert.title} (${suffix})'
      description: alert.description
      severity: alert.severity
      enabled: true
      scopes: [
        workspaceId
      ]
      evaluationFrequency: alert.frequency
      windowSize: alert.window
      // The tables come into being with the first line that is sent.
      skipQueryValidation: true
      autoMitigate: true
      criteria: {
        allOf: [
          {
            query: alert.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: alert.threshold
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: actionGroupIds
      }
    }
  }
]
