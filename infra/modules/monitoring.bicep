// Logs of a stamp, in its own region: receipts hold what rules have read of a device's payload.

import { roles } from '../roles.bicep'
import { tagSet } from '../types.bicep'

@description('Part of every name.')
param suffix string

@description('Azure region.')
param location string

@description('Tags.')
param tags tagSet

@minValue(30)
@maxValue(730)
@description('Days that logs are kept. The log is the record of every decision.')
param retentionInDays int

@description('Most GB a day, after which nothing more is taken in that day, receipts included; -1: no cap.')
param dailyCapGb int

@description('Who may send telemetry.')
param publisherPrincipalIds string[]

@description('Address that alerts are sent to; empty: none.')
param alertEmail string

@description('Action groups that exist already, which alerts call too.')
param actionGroupIds string[]

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: 'log-berth-${suffix}'
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retentionInDays
    workspaceCapping: {
      dailyQuotaGb: dailyCapGb
    }
    features: {
      disableLocalAuth: true
    }
  }
}

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-berth-${suffix}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true
  }
}

resource publisherRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principalId in publisherPrincipalIds: {
    scope: applicationInsights
    name: guid(applicationInsights.id, principalId, roles.monitoringMetricsPublisher)
    properties: {
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        roles.monitoringMetricsPublisher
      )
      principalId: principalId
      principalType: 'ServicePrincipal'
    }
  }
]

resource actionGroup 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(alertEmail)) {
  name: 'ag-berth-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'berth'
    enabled: true
    emailReceivers: [
      {
        name: 'operators'
        emailAddress: alertEmail
        useCommonAlertSchema: true
      }
    ]
  }
}

@description('Resource id of the workspace.')
output workspaceId string = workspace.id

@description('Resource id of the Application Insights component.')
output applicationInsightsId string = applicationInsights.id

@description('Name of the Application Insights component.')
output applicationInsightsName string = applicationInsights.name

@description('Where telemetry goes. Holds no key that is accepted: local authentication is off.')
output connectionString string = applicationInsights.properties.ConnectionString

@description('Resource ids of the action groups that alerts call.')
output actionGroupIds string[] = concat(empty(alertEmail) ? [] : [actionGroup.id], actionGroupIds)
