// What DPS tells a workspace. Deployed to the resource group of DPS, which may exist already.

@description('Name of the service.')
param dpsName string

@description('Log Analytics workspace of the first stamp.')
param workspaceId string

resource dps 'Microsoft.Devices/provisioningServices@2026-08-31' existing = {
  name: dpsName
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: dps
  name: 'berth'
  properties: {
    workspaceId: workspaceId
    logs: map(['DeviceOperations', 'ServiceOperations'], category => {
      category: category
      enabled: true
    })
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}
