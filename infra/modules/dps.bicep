// The Device Provisioning Service, linked with every hub.
//
// Enrollments are data, not resources: make them with `az iot dps enrollment-group create` (infra/README.md). The policy
// of the instance cannot be custom; an enrollment's can.
//
// Deploying replaces the list of linked hubs: what is not in `hubs` is unlinked, and its devices stay where they are.

import { hubSettings } from '../types.bicep'

@description('Name of the service.')
param name string

@description('Azure region.')
param location string

@description('Tags.')
param tags object

@description('The hubs to link.')
param hubs hubSettings[]

@description('Shared access policy of the hubs that DPS uses. It needs RegistryWrite and ServiceConnect, which of the policies that every hub has only this one has.')
param linkPolicy string = 'iothubowner'

resource hubResources 'Microsoft.Devices/IotHubs@2023-06-30' existing = [
  for hub in hubs: {
    name: hub.name
  }
]

resource dps 'Microsoft.Devices/provisioningServices@2022-12-12' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: 'S1'
    capacity: 1
  }
  properties: {
    allocationPolicy: 'Hashed'
    publicNetworkAccess: 'Enabled'
    // Weights are Berth's: DPS neither applies nor sends its own where the policy is custom.
    iotHubs: [
      for (hub, index) in hubs: {
        location: hub.region
        connectionString: 'HostName=${hubResources[index].properties.hostName};SharedAccessKeyName=${linkPolicy};SharedAccessKey=${listKeys(resourceId('Microsoft.Devices/IotHubs/IotHubKeys', hub.name, linkPolicy), '2023-06-30').primaryKey}'
      }
    ]
  }
}

@description('Name.')
output name string = dps.name

@description('What devices are given to find the service.')
output idScope string = dps.properties.idScope
