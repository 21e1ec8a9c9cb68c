// Keeps a resource from being deleted. Only of what these templates make.

@allowed(['hub', 'dps', 'storage'])
@description('What it is.')
param kind string

@description('Name of the resource.')
param name string

var text = 'Devices depend on it. Remove this lock first: az lock delete (infra/README.md, Locks).'

resource iotHub 'Microsoft.Devices/IotHubs@2023-06-30' existing = if (kind == 'hub') {
  name: name
}

resource dps 'Microsoft.Devices/provisioningServices@2026-08-31' existing = if (kind == 'dps') {
  name: name
}

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' existing = if (kind == 'storage') {
  name: name
}

resource hubLock 'Microsoft.Authorization/locks@2020-05-01' = if (kind == 'hub') {
  scope: iotHub
  name: 'berth-keep'
  properties: {
    level: 'CanNotDelete'
    notes: text
  }
}

resource dpsLock 'Microsoft.Authorization/locks@2020-05-01' = if (kind == 'dps') {
  scope: dps
  name: 'berth-keep'
  properties: {
    level: 'CanNotDelete'
    notes: text
  }
}

resource storageLock 'Microsoft.Authorization/locks@2020-05-01' = if (kind == 'storage') {
  scope: account
  name: 'berth-keep'
  properties: {
    level: 'CanNotDelete'
    notes: text
  }
}
