// The Function App on Flex Consumption. The webhook must be reachable from the internet: DPS calls it from Microsoft's
// own network and cannot enter a private one (infra/README.md, Network isolation). What is behind it can be private.

import { settingSet, tagSet } from '../types.bicep'

@description('Name of the app: the first part of its host name.')
param name string

@description('Name of the plan; Flex Consumption has one for each app.')
param planName string

@description('Azure region.')
param location string

@description('Tags.')
param tags tagSet

@description('Service of azure.yaml that azd deploys here.')
param serviceName string

@description('Resource id of the identity that the app runs as.')
param identityId string

@description('Client id of that identity.')
param identityClientId string

@description('Blob service of the host storage account, with a slash at its end.')
param hostBlobEndpoint string

@description('Container of the deployed package.')
param packageContainer string

@description('Name of the storage account of the state tables.')
param stateAccountName string

@description('Name of the storage account of the exports; empty: this app exports nothing.')
param exportsAccountName string = ''

@description('Days that receipts are kept; 0: this app removes none.')
param receiptRetentionDays int = 0

@description('Days that dead letters are kept; 0: this app removes none.')
param deadLetterRetentionDays int = 0

@description('Connection string of Application Insights, without a key that is accepted.')
param applicationInsightsConnectionString string

@description('Host name of the Event Hubs namespace; empty: this app reads no events.')
param eventsHostName string = ''

@description('Name of the Event Hub.')
param eventHubName string = 'twin-events'

@description('Consumer group of syncTwins.')
param consumerGroupName string = 'berth'

@description('Partitions of the Event Hub, for where it cannot be asked.')
param partitionCount int = 4

@description('Which stamp this is; empty: it reconciles all hubs.')
param stampName string

@description('Functions that do not run here.')
param disabledFunctions string[] = []

@description('Subnet for outgoing connections, delegated to Microsoft.App/environments; empty: none.')
param subnetId string

@allowed(['22', '24'])
@description('Version of Node.js.')
param nodeVersion string

@allowed([512, 2048, 4096])
@description('Memory of an instance, MB.')
param instanceMemoryMB int

@minValue(0)
@description('Instances that are always ready for the webhook; 0: the first registration after a pause waits for a cold start.')
param httpAlwaysReady int

@minValue(40)
@maxValue(1000)
@description('Most instances. Twin sync never has more than partitions.')
param maximumInstances int

@allowed(['off', 'azureMonitor', 'otlp'])
@description('Where metrics go.')
param metrics string

@description('Address of the receiver of OTLP; empty: none.')
param otlpEndpoint string

@description('Further app settings.')
param appSettings settingSet

@description('Further user-assigned identities of the app.')
param appIdentityIds string[]

@description('Whether the app also has a system-assigned identity.')
param appSystemIdentity bool

@allowed(['auto', 'Recreate', 'RollingUpdate'])
@description('How instances are replaced when a package or setting changes. auto: RollingUpdate where it is generally available.')
param siteUpdateStrategy string

@description('Spread the instances over availability zones, where the region has them.')
param zoneRedundant bool

// Where RollingUpdate is generally available (azure-docs, flex-consumption-site-updates, 2025-12-04).
var rollingRegions = ['eastasia', 'westcentralus', 'northcentralus', 'westus2']
var autoStrategy = contains(rollingRegions, location) ? 'RollingUpdate' : 'Recreate'

// Read by src/settings/settings.ts and src/functions; a test compares them. app-settings.json lists all names that are set here.
var berthSettings = {
  FLEET_FILE: 'fleet.json'
  AZURE_CLIENT_ID: identityClientId
  BERTH_STATE__tableServiceUri: 'https://${stateAccountName}.table.${environment().suffixes.storage}'
  BERTH_STATE__clientId: identityClientId
  BERTH_METRICS: metrics
}

var stampSettings = empty(stampName)
  ? {}
  : {
      BERTH_STAMP: stampName
    }

var exportSettings = empty(exportsAccountName)
  ? {}
  : {
      BERTH_EXPORTS__blobServiceUri: 'https://${exportsAccountName}.blob.${environment().suffixes.storage}'
      BERTH_EXPORTS__clientId: identityClientId
    }

var retentionSettings = receiptRetentionDays == 0
  ? {}
  : {
      BERTH_RECEIPT_DAYS: string(receiptRetentionDays)
      BERTH_DEAD_LETTER_DAYS: string(deadLetterRetentionDays)
    }

var metricsSettings = empty(otlpEndpoint)
  ? {}
  : {
      OTEL_EXPORTER_OTLP_ENDPOINT: otlpEndpoint
    }

var eventSettings = empty(eventsHostName)
  ? {}
  : {
      TWIN_EVENTS__fullyQualifiedNamespace: eventsHostName
      TWIN_EVENTS__credential: 'managedidentity'
      TWIN_EVENTS__clientId: identityClientId
      TWIN_EVENTS_NAME: eventHubName
      TWIN_EVENTS_CONSUMER_GROUP: consumerGroupName
      TWIN_EVENTS_PARTITIONS: string(partitionCount)
    }

// Read by the Functions host.
var hostSettings = {
  AzureWebJobsStorage__blobServiceUri: hostBlobEndpoint
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: applicationInsightsConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
}

var disabledSettings = toObject(disabledFunctions, each => 'AzureWebJobs.${each}.Disabled', each => 'true')

// What the templates set goes before what is declared.
var settings = union(
  appSettings,
  berthSettings,
  stampSettings,
  exportSettings,
  retentionSettings,
  metricsSettings,
  eventSettings,
  hostSettings,
  disabledSettings
)

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
    zoneRedundant: zoneRedundant
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  tags: union(tags, {
    'azd-service-name': serviceName
  })
  kind: 'functionapp,linux'
  identity: {
    type: appSystemIdentity ? 'SystemAssigned, UserAssigned' : 'UserAssigned'
    userAssignedIdentities: toObject(concat([identityId], appIdentityIds), id => id, id => {})
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    publicNetworkAccess: 'Enabled'
    // Without it, references to Azure Key Vault are read with the system-assigned identity, which the app may lack.
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      runtime: {
        name: 'node'
        version: nodeVersion
      }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${hostBlobEndpoint}${packageContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstances
        // All HTTP functions scale as one group; each Event Hub function and each timer on instances of its own.
        alwaysReady: httpAlwaysReady == 0
          ? []
          : [
              {
                name: 'http'
                instanceCount: httpAlwaysReady
              }
            ]
      }
      // The service knows this property, the published types of this API version do not.
      #disable-next-line BCP037
      siteUpdateStrategy: {
        type: siteUpdateStrategy == 'auto' ? autoStrategy : siteUpdateStrategy
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      appSettings: map(items(settings), setting => {
        name: setting.key
        value: setting.value
      })
    }
  }
}

resource ftpCredentials 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource scmCredentials 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

@description('Name.')
output name string = app.name

@description('Host name.')
output hostName string = app.properties.defaultHostName
