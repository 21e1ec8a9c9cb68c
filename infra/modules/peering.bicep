// One direction of a peering of two networks.

@description('Name.')
param name string

@description('The network that sends.')
param fromNetworkName string

@description('The network that is sent to.')
param toNetworkName string

resource fromNetwork 'Microsoft.Network/virtualNetworks@2025-05-01' existing = {
  name: fromNetworkName
}

resource toNetwork 'Microsoft.Network/virtualNetworks@2025-05-01' existing = {
  name: toNetworkName
}

resource peering 'Microsoft.Network/virtualNetworks/virtualNetworkPeerings@2025-05-01' = {
  parent: fromNetwork
  name: name
  properties: {
    remoteVirtualNetwork: {
      id: toNetwork.id
    }
    allowVirtualNetworkAccess: true
    allowForwardedTraffic: false
    allowGatewayTransit: false
    useRemoteGateways: false
  }
}
