// One URL for the webhook in several regions. DPS has room for one URL in an enrollment, key included, so every app
// behind this one must know the same function key (infra/README.md says how).

import { tagSet } from '../types.bicep'

@description('Makes names unique.')
param token string

@description('Tags.')
param tags tagSet

@description('Host name of the app of the stamp, which is preferred.')
param stampHostName string

@description('Host names of the apps in further regions, in the order in which they step in.')
param allocatorHostNames string[]

@description('Log Analytics workspace.')
param workspaceId string

@description('Action groups to call.')
param actionGroupIds string[]

var hostNames = concat([stampHostName], allocatorHostNames)

resource profile 'Microsoft.Cdn/profiles@2024-02-01' = {
  name: 'afd-berth-${token}'
  location: 'global'
  tags: tags
  sku: {
    name: 'Standard_AzureFrontDoor'
  }
}

resource endpoint 'Microsoft.Cdn/profiles/afdEndpoints@2024-02-01' = {
  parent: profile
  name: 'berth-${token}'
  location: 'global'
  tags: tags
  properties: {
    enabledState: 'Enabled'
  }
}

resource originGroup 'Microsoft.Cdn/profiles/originGroups@2024-02-01' = {
  parent: profile
  name: 'allocators'
  properties: {
    sessionAffinityState: 'Disabled'
    loadBalancingSettings: {
      sampleSize: 4
      successfulSamplesRequired: 3
      additionalLatencyInMilliseconds: 0
    }
    // An app whose fleet file is broken is not ready, and gets no registrations while another is. Every edge of Front Door
    // asks: about 25 requests a minute and app (200 with 30 seconds), and each one is an execution.
    healthProbeSettings: {
      probePath: '/api/health'
      probeProtocol: 'Https'
      probeRequestType: 'GET'
      probeIntervalInSeconds: 240
    }
  }
}

resource origins 'Microsoft.Cdn/profiles/originGroups/origins@2024-02-01' = [
  for (hostName, index) in hostNames: {
    parent: originGroup
    name: 'allocator-${index}'
    properties: {
      hostName: hostName
      originHostHeader: hostName
      httpsPort: 443
      // checks.bicep keeps it from 1 to 5.
      #disable-next-line BCP330
      priority: index + 1
      weight: 100
      enabledState: 'Enabled'
      enforceCertificateNameCheck: true
    }
  }
]

resource route 'Microsoft.Cdn/profiles/afdEndpoints/routes@2024-02-01' = {
  parent: endpoint
  name: 'webhook'
  properties: {
    originGroup: {
      id: originGroup.id
    }
    patternsToMatch: [
      '/api/allocate'
      '/api/health'
    ]
    supportedProtocols: [
      'Https'
    ]
    httpsRedirect: 'Disabled'
    forwardingProtocol: 'HttpsOnly'
    linkToDefaultDomain: 'Enabled'
    enabledState: 'Enabled'
  }
  dependsOn: [
    origins
  ]
}

// Not FrontDoorAccessLog: it has the whole URL of each request, and DPS sends the function key in it.
resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: profile
  name: 'berth'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'FrontDoorHealthProbeLog'
        enabled: true
      }
    ]
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}

module originAlert 'metric-alert.bicep' = {
  name: 'front-door-alert'
  params: {
    name: 'berth-front-door-${token}'
    tags: tags
    text: 'Fewer than half of the health probes of Front Door succeed: the apps behind the one URL are not ready.'
    severity: 2
    resourceId: profile.id
    frequency: 'PT5M'
    window: 'PT30M'
    condition: {
      namespace: 'Microsoft.Cdn/profiles'
      metric: 'OriginHealthPercentage'
      aggregation: 'Average'
      operator: 'LessThan'
      threshold: 50
    }
    actionGroupIds: actionGroupIds
  }
}

@description('Host name of the one URL.')
output hostName string = endpoint.properties.hostName
