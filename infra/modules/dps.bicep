// The Device Provisioning Service. It is created once, without links, and no later deployment writes it: a write replaces the
// list of linked hubs. `berth connect` links the hubs of the fleet file.
//
// Enrollments are data, not resources: `berth enroll` makes them. The policy of the service cannot be custom; that of an
// enrollment can.

import { tagSet } from '../types.bicep'

@description('Name of the service.')
param name string

@description('Azure region.')
param location string

@description('Tags.')
param tags tagSet

@description('Resource id of the identity that DPS signs in with; empty: it uses keys.')
param linkIdentityId string

@description('Keep customer data in the region.')
param enableDataResidency bool

@description('Turn off the shared access policies of DPS.')
param disableLocalAuth bool

// DPS gets a user-assigned identity, because its roles must exist before the links, and a system-assigned identity exists
// only after DPS does.
@onlyIfNotExists()
resource dps 'Microsoft.Devices/provisioningServices@2026-08-31' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: 'S1'
    capacity: 1
  }
  identity: empty(linkIdentityId)
    ? null
    : {
        type: 'UserAssigned'
        userAssignedIdentities: {
          '${linkIdentityId}': {}
        }
      }
  properties: {
    allocationPolicy: 'Hashed'
    publicNetworkAccess: 'Enabled'
    disableLocalAuth: disableLocalAuth
    // Only on demand: Azure takes it at creation only, and not in every region.
    enableDataResidency: enableDataResidency ? true : null
  }
}

@description('Resource id.')
output id string = dps.id

@description('What devices are given to find the service.')
output idScope string = dps.properties.idScope
