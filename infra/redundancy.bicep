// What the regions of stamps and allocators offer beyond Flex Consumption: availability zones, and a second region that storage
// is copied to. main.bicep refuses what a region does not have, before it creates the resource group.

import { stampSettings } from 'types.bicep'
import { flexRegions } from 'checks.bicep'

// Regions with availability zones, as far as Flex Consumption is there (Microsoft, "Azure regions list").
var zoneRegions = [
  'australiaeast'
  'brazilsouth'
  'canadacentral'
  'centralindia'
  'centralus'
  'eastasia'
  'eastus'
  'eastus2'
  'francecentral'
  'germanywestcentral'
  'italynorth'
  'japaneast'
  'koreacentral'
  'northeurope'
  'norwayeast'
  'southafricanorth'
  'southcentralus'
  'southeastasia'
  'spaincentral'
  'swedencentral'
  'uaenorth'
  'uksouth'
  'westeurope'
  'westus2'
  'westus3'
]

@export()
@description('Redundancy of the storage accounts in a region.')
func redundancyIn(region string, storageRedundancy string) string =>
  storageRedundancy != 'auto' ? storageRedundancy : contains(zoneRegions, region) ? 'Standard_ZRS' : 'Standard_LRS'

// Regions without a pair, as far as Flex Consumption is there (Microsoft, "Azure region pairs and nonpaired regions"). Storage
// is copied to the paired region.
var unpairedRegions = ['italynorth', 'spaincentral']

@description('An app with its storage account.')
type namedRegion = {
  @description('What is there, for messages.')
  name: string

  @description('Azure region.')
  region: string
}

@export()
@description('The regions of all apps, by name. Names that are no regions are left out: checks.bicep refuses them.')
func namedRegions(stamps stampSettings[], locations string[]) namedRegion[] =>
  filter(
    concat(
      map(stamps, stamp => {
        name: 'The stamp "${stamp.name}"'
        region: stamp.location
      }),
      map(locations, location => {
        name: 'An allocator'
        region: location
      })
    ),
    place => contains(flexRegions, place.region)
  )

@export()
@description('What the regions of the apps do not offer.')
func redundancyProblems(places namedRegion[], zoneRedundant bool, storageRedundancy string) string[] =>
  concat(
    map(
      filter(places, place => zoneRedundant && !contains(zoneRegions, place.region)),
      place =>
        '${place.name} is in ${place.region}, a region without availability zones, and zoneRedundant is true: leave zoneRedundant out, or choose another region.'
    ),
    map(
      filter(
        places,
        place => contains(['Standard_ZRS', 'Standard_GZRS'], storageRedundancy) && !contains(zoneRegions, place.region)
      ),
      place =>
        '${place.name} is in ${place.region}, a region without availability zones, and storageRedundancy is ${storageRedundancy}: write auto, Standard_LRS or Standard_GRS.'
    ),
    map(
      filter(
        places,
        place =>
          contains(['Standard_GRS', 'Standard_GZRS'], storageRedundancy) && contains(unpairedRegions, place.region)
      ),
      place =>
        '${place.name} is in ${place.region}, a region without a paired region, and storageRedundancy is ${storageRedundancy}: write auto, Standard_LRS or Standard_ZRS.'
    )
  )
