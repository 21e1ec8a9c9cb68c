// What Azure would refuse, some of it only after it has created everything else. main.bicep calls these functions before it
// creates the resource group. `berth validate` refuses the same in a fleet file.
// Sources: "Naming rules and restrictions for Azure resources", "Use tags to organize your Azure resources", "Azure
// subscription and service limits", and Microsoft's azd samples for the regions of Flex Consumption.

import { azurePlace, existingDpsPlace, fleetHub, stampSettings, tagSet } from 'types.bicep'

var lowerLetters = 'abcdefghijklmnopqrstuvwxyz'
var digits = '0123456789'

// Only the public cloud: the names of Event Hubs and of private zones are those of that cloud too.
var hubDomains = ['azure-devices.net', 'device.azure-devices.net', 'service.azure-devices.net']

// The regions of Flex Consumption. main.bicep has the same list for `location`, since @allowed takes no variable; a test
// compares them. `az functionapp list-flexconsumption-locations` prints the newest list: add to both what is new.
@export()
@description('Regions in which a Function App of the plan Flex Consumption can be made.')
var flexRegions = [
  'australiaeast'
  'australiasoutheast'
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
  'northcentralus'
  'northeurope'
  'norwayeast'
  'southafricanorth'
  'southcentralus'
  'southeastasia'
  'southindia'
  'spaincentral'
  'swedencentral'
  'uaenorth'
  'uksouth'
  'ukwest'
  'westcentralus'
  'westeurope'
  'westus'
  'westus2'
  'westus3'
]

func isMadeOf(text string, characters string) bool =>
  empty(filter(range(0, length(text)), index => !contains(characters, substring(text, index, 1))))

// Texts that occur more than once, without regard to case.
func repeated(texts string[]) string[] =>
  map(filter(items(groupBy(texts, text => toLower(text))), group => length(group.value) > 1), group => group.key)

func shortNameOf(host string) string => toLower(split(host, '.')[0])

// ---- hubs ----

@export()
@description('What is wrong with the hubs.')
func hubProblems(hubs fleetHub[], tags tagSet, subscriptionId string) string[] =>
  concat(
    length(hubs) > 50
      ? [
          'hubs has ${length(hubs)} hubs, and one DPS links at most 50: split the fleet into deployments with a DPS each.'
        ]
      : [],
    flatten(map(hubs, hub => nameProblems(hub.host))),
    map(
      repeated(map(hubs, hub => shortNameOf(hub.host))),
      name => 'The hub ${name} is in hubs more than once: write each hub once, under one of its names.'
    ),
    flatten(map(hubs, hub => sizeProblems(hub))),
    flatten(map(
      items(groupBy(filter(hubs, hub => hub.tier == 'F1'), hub => toLower(hub.?azure.?subscription ?? subscriptionId))),
      group =>
        length(group.value) > 1
          ? [
              'The hubs ${join(map(group.value, hub => hub.host), ' and ')} are of the tier F1, and a subscription has one free hub: give all but one the tier S1, or correct hubs[].azure.'
            ]
          : []
    )),
    flatten(map(hubs, hub => placeProblems('The hub ${hub.host}', 'hubs[].azure', hub.?azure))),
    flatten(map(managed(hubs), hub => tagProblems('The label', 'of the hub ${hub.host}', hub.?labels ?? {}))),
    flatten(map(
      managed(hubs),
      hub =>
        length(items(hub.?labels ?? {})) + length(items(tags)) > 49
          ? [
              'The hub ${hub.host} would have more than 50 tags: its labels, `tags` and azd-env-name are tags. Remove some.'
            ]
          : []
    )),
    flatten(map(managed(hubs), hub => sharedTagProblems(hub.host, hub.?labels ?? {}, tags)))
  )

// Labels become tags of hubs that the templates create.
func managed(hubs fleetHub[]) fleetHub[] => filter(hubs, hub => hub.?azure == null)

func isGuid(text string) bool =>
  length(text) == 36 && length(split(text, '-')) == 5 && isMadeOf(toLower(text), '${digits}abcdef-')

func placeProblems(what string, where string, place azurePlace?) string[] =>
  concat(
    place == null || isGuid(place.?subscription ?? '')
      ? []
      : [
          '${what} is in the subscription "${place.?subscription ?? ''}": write its id in ${where}; `az account show --query id` prints yours.'
        ],
    place == null || (isMadeOf(toLower(place.?resourceGroup ?? ''), '${lowerLetters}${digits}-_.()') && !empty(place.?resourceGroup ?? '') && !endsWith(
        place.?resourceGroup ?? '',
        '.'
      ))
      ? []
      : ['${what} is in the resource group "${place.?resourceGroup ?? ''}": write its name in ${where}.']
  )

@export()
@description('What is wrong with the place of a DPS that exists already.')
func dpsProblems(dps existingDpsPlace?) string[] =>
  dps == null
    ? []
    : concat(
        placeProblems('The DPS ${dps.?name ?? ''}', '`existingDps`', {
          subscription: dps.?subscription ?? ''
          resourceGroup: dps.?resourceGroup ?? ''
        }),
        length(dps.?name ?? '') >= 3 && length(dps.?name ?? '') <= 64 && isMadeOf(
            toLower(dps.?name ?? ''),
            '${lowerLetters}${digits}-'
          )
          ? []
          : ['"${dps.?name ?? ''}" is not a name of a DPS: write it in `existingDps` without a domain.']
      )

func nameProblems(host string) string[] =>
  concat(
    contains(hubDomains, toLower(join(skip(split(host, '.'), 1), '.')))
      ? []
      : ['"${host}" is not a host name of an IoT hub: write NAME.azure-devices.net.'],
    length(shortNameOf(host)) >= 3 && length(shortNameOf(host)) <= 50 && isMadeOf(
        shortNameOf(host),
        '${lowerLetters}${digits}-'
      ) && !startsWith(host, '-') && !endsWith(shortNameOf(host), '-')
      ? []
      : [
          '"${split(host, '.')[0]}" is not a name for an IoT hub: write 3 to 50 letters, digits and hyphens, with a letter or digit at both ends.'
        ]
  )

func sizeProblems(hub fleetHub) string[] =>
  concat(
    hub.tier == 'F1' && (hub.?units ?? 1) != 1
      ? ['The hub ${hub.host} has the tier F1 and ${hub.?units ?? 1} units: F1 has one unit. Write 1, or the tier S1.']
      : [],
    hub.tier == 'S3' && (hub.?units ?? 1) > 10
      ? [
          'The hub ${hub.host} has the tier S3 and ${hub.?units ?? 1} units: S3 has at most 10. Write fewer, or add a hub.'
        ]
      : [],
    (hub.?units ?? 1) < 1 || (hub.?units ?? 1) > 200
      ? ['The hub ${hub.host} has ${hub.?units ?? 1} units: write 1 to 200.']
      : [],
    isMadeOf(hub.region, '${lowerLetters}${digits}') && !empty(hub.region)
      ? []
      : [
          'The hub ${hub.host} has the region "${hub.region}": write its name in lower case without spaces, such as westeurope.'
        ]
  )

// ---- tags ----

func tagProblems(what string, where string, tags tagSet) string[] =>
  flatten(map(items(tags), tag => tagProblemsOf('${what} "${tag.key}" ${where}', tag.key, tag.value)))

func tagProblemsOf(what string, key string, value string) string[] =>
  concat(
    empty(trim(key)) || length(key) > 512 || !empty(filter(
        ['<', '>', '%', '&', '\\', '?', '/'],
        character => contains(key, character)
      ))
      ? ['${what} cannot be the name of a tag: write 1 to 512 characters without < > % & \\ ? and /.']
      : [],
    !empty(filter(['microsoft', 'azure', 'windows'], prefix => startsWith(toLower(key), prefix)))
      ? ['${what} begins with a word that Azure keeps for its own tags (microsoft, azure, windows): write another.']
      : [],
    length(value) > 256 ? ['${what} has a value of ${length(value)} characters: a tag takes at most 256.'] : []
  )

func sharedTagProblems(host string, labels tagSet, tags tagSet) string[] =>
  map(
    filter(
      repeated(concat(map(items(labels), tag => tag.key), map(items(tags), tag => tag.key), ['azd-env-name'])),
      key => contains(map(items(labels), tag => toLower(tag.key)), key)
    ),
    key =>
      'The hub ${host} would have the tag "${key}" more than once, from its labels, `tags` or azd-env-name: rename the label. Upper and lower case make no difference.'
  )

@export()
@description('What is wrong with `tags`. Zones of DNS and profiles of Front Door take 15 tags; all else takes 50.')
func commonTagProblems(tags tagSet, isFew bool) string[] =>
  concat(
    tagProblems('The tag', 'of `tags`', tags),
    length(items(tags)) > (isFew ? 14 : 48)
      ? [
          '`tags` has ${length(items(tags))} tags, and there is room for ${isFew ? '14: private zones and Front Door take 15 with azd-env-name' : '48: a resource takes 50 with azd-env-name and azd-service-name'}. Remove some.'
        ]
      : [],
    contains(map(items(tags), tag => toLower(tag.key)), 'azd-env-name') || contains(
        map(items(tags), tag => toLower(tag.key)),
        'azd-service-name'
      )
      ? ['`tags` has azd-env-name or azd-service-name, which the template sets itself: remove it.']
      : []
  )

// ---- stamps and allocators ----

@export()
@description('What is wrong with the stamps, and between them and the hubs.')
func stampProblems(hubs fleetHub[], stamps stampSettings[]) string[] =>
  concat(
    flatten(map(stamps, stamp => stampNameProblems(stamp.name))),
    map(
      repeated(map(stamps, stamp => stamp.name)),
      name => '`stamps` has the stamp "${name}" more than once: give each its own name.'
    ),
    flatten(map(stamps, stamp => regionProblems('The stamp "${stamp.name}"', stamp.location))),
    stampsFitProblems(hubs, stamps, filter(hubs, hub => !empty(hub.?stamp ?? '')))
  )

func stampNameProblems(name string) string[] =>
  empty(name) || length(name) > 12 || !isMadeOf(name, '${lowerLetters}${digits}')
    ? [
        '"${name}" is not a name for a stamp: write 1 to 12 lower-case letters and digits, in `stamps` and in hubs[].stamp.'
      ]
    : name == 'allocator'
        ? ['The stamp name "allocator" is taken by the apps of `allocatorLocations`: write another.']
        : []

func stampsFitProblems(hubs fleetHub[], stamps stampSettings[], named fleetHub[]) string[] =>
  empty(named)
    ? length(stamps) == 1
        ? []
        : [
            'No hub names a stamp, and `stamps` has ${length(stamps)}: every app would reconcile every hub. Write hubs[].stamp, or one stamp.'
          ]
    : concat(
        map(
          filter(hubs, hub => empty(hub.?stamp ?? '')),
          hub => 'The hub ${hub.host} names no stamp and others do, so no app would reconcile it: write its stamp.'
        ),
        map(
          filter(named, hub => !contains(map(stamps, stamp => stamp.name), hub.?stamp ?? '')),
          hub =>
            'The hub ${hub.host} is of the stamp "${hub.?stamp ?? ''}", which `stamps` does not have: add it to `stamps`, or correct hubs[].stamp.'
        ),
        map(
          filter(stamps, stamp => !contains(map(named, hub => hub.?stamp ?? ''), stamp.name)),
          stamp => 'No hub is of the stamp "${stamp.name}": remove it from `stamps`, or write it in hubs[].stamp.'
        )
      )

func regionProblems(what string, region string) string[] =>
  contains(flexRegions, region)
    ? []
    : [
        '${what} is in the region "${region}": write the name of a region with the plan Flex Consumption, in lower case without spaces, one of ${join(flexRegions, ', ')}.'
      ]

@export()
@description('What is wrong with the allocators. Front Door has priorities 1 to 5, and the first is that of the stamp.')
func allocatorProblems(locations string[]) string[] =>
  concat(
    flatten(map(locations, location => regionProblems('An allocator', location))),
    map(
      repeated(locations),
      location => '`allocatorLocations` has "${location}" more than once: one app in a region is enough. Remove one.'
    ),
    length(locations) > 4
      ? [
          '`allocatorLocations` has ${length(locations)} regions, and Front Door orders at most 5 apps, the one of the first stamp included: write at most 4.'
        ]
      : []
  )

// ---- networks ----

func numberOf(address string) int =>
  reduce(map(split(address, '.'), octet => int(octet)), 0, (number, octet) => number * 256 + octet)

func overlap(one string, other string) bool =>
  numberOf(parseCidr(one).network) <= numberOf(parseCidr(other).broadcast) && numberOf(parseCidr(other).network) <= numberOf(parseCidr(one).broadcast)

func isOctet(text string) bool => !empty(text) && length(text) <= 3 && isMadeOf(text, digits) && int(text) <= 255

// parseCidr() takes texts that are no ranges, and cuts off what a range does not begin with.
func isRange(text string) bool =>
  length(split(text, '/')) == 2 && length(split(split(text, '/')[0], '.')) == 4 && empty(filter(
      split(split(text, '/')[0], '.'),
      octet => !isOctet(octet)
    )) && isOctet(split(text, '/')[1]) && int(split(text, '/')[1]) <= 25 && int(split(text, '/')[1]) >= 8
    ? '${parseCidr(text).network}/${parseCidr(text).cidr}' == text
    : false

@description('A virtual network of one app.')
type namedRange = {
  @description('Whose network it is, for messages.')
  name: string

  @description('Where the range is written, for messages.')
  parameter: string

  @description('Its addresses; empty: not given.')
  range: string
}

@export()
@description('The ranges of all networks, by name.')
func namedRanges(stamps stampSettings[], locations string[], ranges tagSet) namedRange[] =>
  concat(
    map(stamps, stamp => {
      name: 'The stamp "${stamp.name}"'
      parameter: 'its addressPrefix in `stamps`'
      range: stamp.?addressPrefix ?? ''
    }),
    map(locations, location => {
      name: 'The allocator in ${location}'
      parameter: 'allocatorAddressPrefixes.${location}'
      range: ranges[?location] ?? ''
    })
  )

@export()
@description('What is wrong with the address ranges of private networks.')
func rangeProblems(networks namedRange[]) string[] =>
  concat(
    map(
      filter(networks, network => empty(network.range)),
      network =>
        '${network.name} has no address range: write ${network.parameter}, such as 10.40.0.0/24. It must stay as it is when other networks come or go.'
    ),
    map(
      filter(networks, network => !empty(network.range) && !isRange(network.range)),
      network =>
        '${network.name} has the address range "${network.range}": write the first address and the size, /8 to /25, such as 10.40.0.0/24, in ${network.parameter}.'
    ),
    flatten(map(
      range(0, length(networks)),
      index =>
        map(
          filter(
            take(networks, index),
            other =>
              isRange(other.range) && isRange(networks[index].range)
                ? overlap(other.range, networks[index].range)
                : false
          ),
          other =>
            '${networks[index].name} has the address range ${networks[index].range}, which overlaps ${other.range} of another network: write another in ${networks[index].parameter}.'
        )
    ))
  )

// ---- the rest of the parameters ----

@export()
@description('What is wrong with the name of the environment, which names the resource group.')
func environmentNameProblems(name string) string[] =>
  isMadeOf(toLower(name), '${lowerLetters}${digits}-_.()') && !endsWith(name, '.')
    ? []
    : [
        'environmentName is "${name}": write letters, digits, hyphens, underscores and periods, with no period at the end.'
      ]

@export()
@description('What is wrong with who operates.')
func operatorProblems(operatorPrincipalId string, alertEmail string, actionGroupIds string[]) string[] =>
  concat(
    empty(operatorPrincipalId) || (length(operatorPrincipalId) == 36 && length(split(operatorPrincipalId, '-')) == 5)
      ? []
      : [
          'operatorPrincipalId is "${operatorPrincipalId}", and an object id is a GUID: `az ad signed-in-user show --query id` prints yours.'
        ],
    empty(alertEmail) || (length(split(alertEmail, '@')) == 2 && !contains(alertEmail, ' '))
      ? []
      : ['alertEmail is "${alertEmail}", which is not one e-mail address: write NAME@DOMAIN.'],
    map(
      filter(actionGroupIds, id => !contains(toLower(id), '/providers/microsoft.insights/actiongroups/')),
      id =>
        'The action group "${id}" of actionGroupIds is not an id: `az monitor action-group list --query [].id` prints them.'
    )
  )

@export()
@description('What is wrong with how hubs are linked and signed in to.')
func linkProblems(hubs fleetHub[], linkAuthentication string, disableLocalAuth bool, disableDpsLocalAuth bool) string[] =>
  concat(
    disableLocalAuth && linkAuthentication == 'keys'
      ? [
          'disableLocalAuth is true and linkAuthentication is keys: DPS could not sign in to the hubs, and every registration would fail. Write linkAuthentication identity, or leave disableLocalAuth out.'
        ]
      : [],
    disableDpsLocalAuth && linkAuthentication == 'keys'
      ? [
          'disableDpsLocalAuth needs the API of DPS that links by identity: write linkAuthentication identity, or leave disableDpsLocalAuth out.'
        ]
      : [],
    disableLocalAuth
      ? map(
          filter(hubs, hub => contains(hub, 'connection')),
          hub =>
            'The hub ${hub.host} has a connection string (hubs[].connection), which disableLocalAuth makes useless: remove it, so that the app signs in with its identity.'
        )
      : []
  )

@export()
@description('What Azure accepts and may still cause trouble.')
func warningsOf(hubs fleetHub[], disableLocalAuth bool, alertsCallNobody bool) string[] =>
  concat(
    alertsCallNobody
      ? [
          'No alert reaches a person: alerts are shown in the portal only. Set alertEmail (azd env set BERTH_ALERT_EMAIL NAME@DOMAIN) or actionGroupIds.'
        ]
      : [],
    disableLocalAuth
      ? [
          'disableLocalAuth with links by identity has not been run: the page of Microsoft on linked hubs asks for the shared access policies of the hub even then. Try it with one hub and one device.'
        ]
      : [],
    reduce(hubs, 0, (sum, hub) => sum + (hub.?capacity ?? 0)) > 1000000
      ? [
          'The capacities of the hubs are ${reduce(hubs, 0, (sum, hub) => sum + (hub.?capacity ?? 0))} devices together, and one DPS keeps at most 1000000 registrations.'
        ]
      : []
  )
