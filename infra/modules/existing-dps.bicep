// A Device Provisioning Service that exists already. Nothing of it is written here.

@description('Name of the service.')
param name string

resource dps 'Microsoft.Devices/provisioningServices@2026-08-31' existing = {
  name: name
}

@description('Resource id.')
output id string = dps.id

@description('What devices are given to find the service.')
output idScope string = dps.properties.idScope
