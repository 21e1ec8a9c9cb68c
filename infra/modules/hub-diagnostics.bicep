// What a hub tells a workspace. Deployed to the resource group of the hub, which may exist already.

@description('Name of the hub.')
param hubName string

@description('Log Analytics workspace of the stamp.')
param workspaceId string

resource iotHub 'Microsoft.Devices/IotHubs@2023-06-30' existing = {
  name: hubName
}

// Not Connections and DeviceTelemetry: they have a line for each connection and each message that fails.
resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: iotHub
  name: 'berth'
  properties: {
    workspaceId: workspaceId
    logs: map(['Routes', 'Configurations', 'DeviceIdentityOperations'], category => {
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
