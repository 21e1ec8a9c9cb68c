// What the parameters are made of. The fleet file has the same words (docs/fleet-file.md).

@export()
@description('An IoT hub. Name, region, tier, units and stamp are those of the fleet file, which the parameter files read.')
type hubSettings = {
  @minLength(3)
  @maxLength(50)
  @description('Name of the hub: the first part of its host name. Nobody else in Azure may have it.')
  name: string

  @description('Azure region of the hub, such as westeurope: where it is, and what Berth reckons latency with.')
  region: string

  @description('Tier. Basic tiers have no twins; F1 is free, once a subscription, with 8,000 messages a day.')
  tier: 'F1' | 'S1' | 'S2' | 'S3'

  @minValue(1)
  @maxValue(200)
  @description('Units. On S1 and S2 they raise the daily quota, not the twin limits.')
  units: int

  @description('Name of the stamp that reconciles the hub. Where one hub names a stamp, all must.')
  stamp: string?

  @description('Labels of the fleet file, such as residency. They become tags of the hub; Berth reads them in the fleet file.')
  labels: object?
}

@export()
@description('A deployment of twin sync: a Function App, an Event Hub, state and logs in one region.')
type stampSettings = {
  @minLength(1)
  @maxLength(12)
  @description('Name of the stamp, as hubs[].stamp has it. Lower-case letters and digits: it is part of resource names.')
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
}
