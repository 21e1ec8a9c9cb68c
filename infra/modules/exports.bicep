// The daily exports of the state, in an account of their own: they survive the loss of the state account. The app may write
// blobs of one container and delete none for good: every overwritten or deleted blob stays as a version, and only the
// lifecycle rule removes versions.

import { roles } from '../roles.bicep'
import { tagSet } from '../types.bicep'

@description('Name of the storage account.')
param name string

@description('Makes the name of the deployment unique.')
param stampName string

@description('Azure region.')
param location string

@description('Tags.')
param tags tagSet

@description('Redundancy, such as Standard_LRS.')
param redundancy string

@minValue(7)
@maxValue(730)
@description('Days that an export is kept.')
param retentionDays int

@description('Identity of the app, which writes exports.')
param writerPrincipalId string

@description('Object id of who may read exports, to import one; empty: nobody.')
param readerPrincipalId string

@description('What readerPrincipalId is; empty: Azure looks it up.')
param readerPrincipalType string

@allowed(['public', 'private'])
@description('private: reachable through private endpoints only.')
param networkAccess string

// Named by src/instance/export-container.ts; a test compares them.
var containerName = 'berth-exports'

module storage 'storage.bicep' = {
  name: 'exports-account-${stampName}'
  params: {
    name: name
    location: location
    tags: tags
    redundancy: redundancy
    containers: [
      containerName
    ]
    versionDays: retentionDays
    networkAccess: networkAccess
  }
}

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: name
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' existing = {
  parent: account
  name: 'default'
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' existing = {
  parent: blobService
  name: containerName
}

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2025-01-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'old-exports'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: [
                'blockBlob'
              ]
              prefixMatch: [
                '${containerName}/'
              ]
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: retentionDays
                }
              }
              version: {
                delete: {
                  daysAfterCreationGreaterThan: retentionDays
                }
              }
            }
          }
        }
      ]
    }
  }
  dependsOn: [
    storage
  ]
}

resource writerRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: container
  name: guid(container.id, writerPrincipalId, roles.storageBlobDataContributor)
  properties: {
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roles.storageBlobDataContributor
    )
    principalId: writerPrincipalId
    principalType: 'ServicePrincipal'
  }
  dependsOn: [
    storage
  ]
}

resource readerRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(readerPrincipalId)) {
  scope: container
  name: guid(container.id, readerPrincipalId, roles.storageBlobDataReader)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataReader)
    principalId: readerPrincipalId
    // A wrong kind is refused; with none, Azure asks the directory.
    principalType: empty(readerPrincipalType) ? null : any(readerPrincipalType)
  }
  dependsOn: [
    storage
  ]
}

@description('Resource id.')
output id string = storage.outputs.id

@description('Name.')
output name string = storage.outputs.name
