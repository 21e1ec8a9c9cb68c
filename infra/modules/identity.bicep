// A user-assigned identity: it exists before what it is for, so its roles can be given first.

import { tagSet } from '../types.bicep'

@description('Name of the identity.')
param name string

@description('Azure region.')
param location string

@description('Tags.')
param tags tagSet

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: name
  location: location
  tags: tags
}

@description('Resource id.')
output id string = identity.id

@description('What roles are given to.')
output principalId string = identity.properties.principalId

@description('What code asks for a token with.')
output clientId string = identity.properties.clientId
