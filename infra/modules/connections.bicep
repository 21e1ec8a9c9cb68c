// What `berth connect` needs to know of a deployment, as one object.

import { connectionsOutput, stampConnection } from '../types.bicep'

@description('public or private.')
param networkAccess string

@description('Resource id of DPS.')
param dpsId string

@description('keys or identity.')
param linkAuthentication string

@description('Resource id of the identity with which DPS signs in; empty: it uses keys.')
param linkIdentityId string

@description('The stamps.')
param stamps stampConnection[]

@description('The object.')
output connections connectionsOutput = {
  subscription: subscription().subscriptionId
  resourceGroup: resourceGroup().name
  networkAccess: networkAccess
  dps: {
    id: dpsId
    linkAuthentication: linkAuthentication
    linkIdentityId: linkIdentityId
  }
  stamps: stamps
}
