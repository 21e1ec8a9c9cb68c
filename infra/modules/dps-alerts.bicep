// Alerts on what DPS says of registrations. A webhook that answers 401 or 404, or that is not reached, leaves no trace in the
// app. Microsoft does not list the values of the dimension Status, so no alert depends on one of them.

import { logAlert, tagSet } from '../types.bicep'

@description('Part of every name.')
param suffix string

@description('Azure region of the workspace.')
param location string

@description('Tags.')
param tags tagSet

@description('Log Analytics workspace that has the logs and metrics of DPS.')
param workspaceId string

@description('Action groups to call.')
param actionGroupIds string[]

var alerts logAlert[] = [
  {
    key: 'nothing-assigned'
    title: 'Devices register, and none gets a hub'
    description: 'DPS counted ten registrations or more in half an hour, and assigned no device. The webhook answers 401, 404 or 503, or is not reached (docs/operations.md, Registrations fail, and Berth says nothing).'
    severity: 1
    frequency: 'PT5M'
    window: 'PT30M'
    threshold: 0
    query: '''
      union isfuzzy=true (datatable(ResourceProvider: string, MetricName: string, Total: real) []), AzureMetrics
      | where ResourceProvider == "MICROSOFT.DEVICES" and MetricName in ("RegistrationAttempts", "DeviceAssignments")
      | summarize attempts = sumif(Total, MetricName == "RegistrationAttempts"), assigned = sumif(Total, MetricName == "DeviceAssignments")
      | where attempts >= 10 and assigned == 0
    '''
  }
  {
    key: 'registrations-refused'
    title: 'DPS ends registrations with an error'
    description: 'More than 10 registrations in 15 minutes, and more than one in ten, ended with an HTTP status of 400 or more (docs/operations.md, Registrations fail, and Berth says nothing).'
    severity: 2
    frequency: 'PT5M'
    window: 'PT15M'
    threshold: 0
    query: '''
      union isfuzzy=true (datatable(ResourceProvider: string, Category: string, ResultSignature: string) []), AzureDiagnostics
      | where ResourceProvider == "MICROSOFT.DEVICES" and Category == "DeviceOperations"
      | summarize operations = count(), refused = countif(toint(ResultSignature) >= 400)
      | where refused > 10 and refused > operations * 0.1
    '''
  }
]

module logAlerts 'log-alerts.bicep' = {
  name: 'dps-alerts-${suffix}'
  params: {
    suffix: suffix
    location: location
    tags: tags
    workspaceId: workspaceId
    alerts: alerts
    actionGroupIds: actionGroupIds
  }
}
