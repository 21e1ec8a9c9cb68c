// What the parameters are made of. The fleet file has the same words (docs/fleet-file.md). What is out of range is refused
// by checks.bicep, with a sentence that says what to do.

@export()
@description('Tags of a resource.')
type tagSet = {
  *: string
}

@export()
@description('App settings by name. A secret is a reference to Azure Key Vault.')
type settingSet = {
  *: string
}

@export()
@description('A hub as the fleet file has it. What only Berth reads, such as its weight, is left alone.')
type fleetHub = {
  @description('Host name: NAME.azure-devices.net. Nobody else in Azure may have the name, which is 3 to 50 characters long.')
  host: string

  @description('Azure region of the hub, such as westeurope: where it is made, and what Berth reckons latency with.')
  region: string

  @description('Tier. Basic tiers have no twins; F1 is free, once a subscription, with 8,000 messages a day.')
  tier: 'F1' | 'S1' | 'S2' | 'S3'

  @description('Units, 1 by default. On S1 and S2 they raise the daily quota, not the twin limits.')
  units: int?

  @description('Name of the stamp that reconciles the hub. Where one hub names a stamp, all must.')
  stamp: string?

  @description('Labels, such as residency. They become tags of the hub.')
  labels: tagSet?

  @description('Where the hub is, if it exists already. The templates then create and change nothing of it but roles.')
  azure: azurePlace?

  @description('Most devices. Only for a warning: one DPS keeps a million registrations.')
  capacity: int?

  // Whatever else Berth reads, such as a weight.
  #disable-next-line no-explicit-any
  *: any
}

@export()
@description('A resource group that exists already.')
type azurePlace = {
  @description('Id of the subscription.')
  subscription: string

  @description('Name of the resource group.')
  resourceGroup: string
}

@export()
@description('A Device Provisioning Service that exists already.')
type existingDpsPlace = {
  @description('Name of the service.')
  name: string

  @description('Id of its subscription.')
  subscription: string

  @description('Its resource group.')
  resourceGroup: string
}

@export()
@description('A hub with nothing left open.')
type hubSettings = {
  @description('First part of the host name.')
  name: string

  @description('Azure region.')
  region: string

  @description('Tier.')
  tier: string

  @description('Units.')
  units: int

  @description('Stamp; empty: none.')
  stamp: string

  @description('Labels.')
  labels: tagSet

  @description('Whether the hub exists already, so that the templates do not create it.')
  isExisting: bool

  @description('Subscription of the hub.')
  subscription: string

  @description('Resource group of the hub.')
  resourceGroup: string
}

@export()
@description('A deployment of twin sync: a Function App, an Event Hub, state and logs in one region.')
type stampSettings = {
  @description('Name of the stamp, as hubs[].stamp has it. Lower-case letters and digits: 1 to 12 of them, since it is part of resource names.')
  name: string

  @description('Azure region of everything in the stamp but its hubs. Twins, receipts and logs are kept there.')
  location: string

  @minValue(1)
  @maxValue(32)
  @description('Partitions of the Event Hub, 4 by default. Fixed for good in the Standard tier. Every hub budget is divided by them.')
  partitions: int?

  @minValue(1)
  @maxValue(40)
  @description('Throughput units of the Event Hubs namespace, 1 by default.')
  throughputUnits: int?

  @description('Addresses of its network where networkAccess is private, at least a /25. They must stay when stamps come or go.')
  addressPrefix: string?

  @description('App settings of this stamp alone, such as a secret that only its devices need. They go before the common ones.')
  appSettings: settingSet?
}

@export()
@description('What is told of a stamp after a deployment.')
type stampOutput = {
  @description('Name of the stamp.')
  name: string

  @description('Function App.')
  functionApp: string

  @description('Address of its state tables.')
  stateTableUri: string
}

@export()
@description('What `berth connect` needs to know of a stamp.')
type stampConnection = {
  @description('Name of the stamp; empty: the fleet has no stamps.')
  name: string

  @description('Resource id of the Event Hub.')
  eventHubId: string

  @description('sb://NAME.servicebus.windows.net')
  endpointUri: string

  @description('Name of the Event Hub.')
  eventHubName: string

  @description('Resource id of the identity with which hubs send where networkAccess is public.')
  routingIdentityId: string
}

@export()
@description('What `berth connect` connects hubs and DPS with.')
type connectionsOutput = {
  @description('Subscription of the deployment.')
  subscription: string

  @description('Resource group of the deployment.')
  resourceGroup: string

  @description('public or private.')
  networkAccess: string

  @description('The Device Provisioning Service.')
  dps: {
    @description('Resource id.')
    id: string

    @description('keys or identity.')
    linkAuthentication: string

    @description('Resource id of the identity with which DPS signs in; empty: it uses keys.')
    linkIdentityId: string
  }

  @description('The stamps.')
  stamps: stampConnection[]
}

@export()
@description('An alert by a query over a workspace. Severity: 1 devices suffer now, 2 they will, 3 somebody should look.')
type logAlert = {
  @description('Part of the name.')
  key: string

  @description('What has happened.')
  title: string

  @description('What it means, and what to do.')
  description: string

  @description('1, 2 or 3.')
  severity: int

  @description('How often Azure looks.')
  frequency: string

  @description('Over which time.')
  window: string

  @description('It fires above this number of rows.')
  threshold: int

  @description('The query.')
  query: string
}

@export()
@description('When a metric alert fires.')
type metricCondition = {
  @description('Namespace of the metric: the type of the resource.')
  namespace: string

  @description('Name of the metric.')
  metric: string

  @description('Values of dimensions that count; none: all.')
  dimensions: {
    @description('Name of the dimension.')
    name: string

    @description('Include or Exclude.')
    operator: string

    @description('Values.')
    values: string[]
  }[]?

  @description('How the values of the window become one.')
  aggregation: 'Average' | 'Maximum' | 'Total'

  @description('Which side of the threshold fires.')
  operator: 'GreaterThan' | 'LessThan'

  @description('The threshold.')
  threshold: int
}
