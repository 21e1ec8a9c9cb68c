// Asks a public address for /api/health from five places, every five minutes. The request needs no key: a key would be
// readable in the resource.

import { tagSet } from '../types.bicep'

@description('Name.')
param name string

@description('Azure region of Application Insights.')
param location string

@description('Tags.')
param tags tagSet

@description('Resource id of Application Insights.')
param applicationInsightsId string

@description('Host name that is asked.')
param hostName string

@description('Action groups to call.')
param actionGroupIds string[]

// West Europe, North Europe, UK South, East US, Southeast Asia: the least that Microsoft recommends. Three of them must fail.
var places = [
  'emea-nl-ams-azr'
  'emea-gb-db3-azr'
  'emea-ru-msa-edge'
  'us-va-ash-azr'
  'apac-sg-sin-azr'
]

resource webTest 'Microsoft.Insights/webtests@2022-06-15' = {
  name: name
  location: location
  tags: union(tags, {
    'hidden-link:${applicationInsightsId}': 'Resource'
  })
  kind: 'standard'
  properties: {
    SyntheticMonitorId: name
    Name: name
    Description: 'GET /api/health answers 200 when the app can decide.'
    Enabled: true
    Frequency: 300
    Timeout: 30
    Kind: 'standard'
    RetryEnabled: true
    Locations: map(places, place => {
      Id: place
    })
    Request: {
      RequestUrl: 'https://${hostName}/api/health'
      HttpVerb: 'GET'
      FollowRedirects: false
      ParseDependentRequests: false
    }
    ValidationRules: {
      ExpectedHttpStatusCode: 200
      SSLCheck: true
      SSLCertRemainingLifetimeCheck: 7
    }
  }
}

resource alert 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: name
  location: 'global'
  tags: tags
  properties: {
    description: 'The webhook cannot be reached, or has no fleet file: https://${hostName}/api/health fails in three of five places. Registrations fail now.'
    severity: 1
    enabled: true
    scopes: [
      webTest.id
      applicationInsightsId
    ]
    evaluationFrequency: 'PT1M'
    windowSize: 'PT5M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria'
      webTestId: webTest.id
      componentId: applicationInsightsId
      failedLocationCount: length(places) - 2
    }
    actions: map(actionGroupIds, id => {
      actionGroupId: id
    })
  }
}
