// A storage account without keys: the host's own, or the one of Berth's state.

import { roles } from '../roles.bicep'
import { tagSet } from '../types.bicep'

@minLength(3)
@maxLength(24)
@description('Name of the account.')
param name string

@description('Azure region.')
param location string

@description('Tags.')
param tags tagSet

@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
@description('Redundancy.')
param redundancy string

@description('Blob containers to make.')
param containers string[] = []

@description('Identities that may own blobs: the Functions host.')
param blobOwners string[] = []

@description('Identities of apps that may read and write tables.')
param tableContributors string[] = []

@description('Object id of a person, group or pipeline that may read and write tables; empty: nobody.')
param operatorPrincipalId string = ''

@description('What operatorPrincipalId is; empty: Azure looks it up.')
param operatorPrincipalType string = ''

@description('Days that deleted blobs and containers are kept, and earlier versions of blobs with them; 0: no versions.')
param versionDays int = 0

@allowed(['public', 'private'])
@description('private: reachable through private endpoints only.')
param networkAccess string

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: redundancy
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: networkAccess == 'private' ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: networkAccess == 'private' ? 'Deny' : 'Allow'
      bypass: 'None'
    }
  }
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' = {
  parent: account
  name: 'default'
  properties: versionDays == 0
    ? {}
    : {
        isVersioningEnabled: true
        deleteRetentionPolicy: {
          enabled: true
          days: min(versionDays, 365)
        }
        containerDeleteRetentionPolicy: {
          enabled: true
          days: min(versionDays, 365)
        }
      }
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = [
  for containerName in containers: {
    parent: blobService
    name: containerName
  }
]

resource blobOwnerRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principalId in blobOwners: {
    scope: account
    name: guid(account.id, principalId, roles.storageBlobDataOwner)
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataOwner)
      principalId: principalId
      principalType: 'ServicePrincipal'
    }
  }
]

resource tableContributorRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principalId in tableContributors: {
    scope: account
    name: guid(account.id, principalId, roles.storageTableDataContributor)
    properties: {
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        roles.storageTableDataContributor
      )
      principalId: principalId
      principalType: 'ServicePrincipal'
    }
  }
]

resource operatorRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorPrincipalId)) {
  scope: account
  name: guid(account.id, operatorPrincipalId, roles.storageTableDataContributor)
  properties: {
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roles.storageTableDataContributor
    )
    principalId: operatorPrincipalId
    // A wrong kind is refused; with none, Azure asks the directory.
    principalType: empty(operatorPrincipalType) ? null : any(operatorPrincipalType)
  }
}

@description('Resource id.')
output id string = account.id

@description('Name.')
output name string = account.name

@description('Address of the blob service, with a slash at its end.')
output blobEndpoint string = account.properties.primaryEndpoints.blob
