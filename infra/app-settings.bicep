// The app settings that an operator declares with `appSettings`. A deployment writes all settings of an app, so a setting that is
// not declared would be removed; scripts/deploy/kept-settings.mjs refuses that. app-settings.json lists names of settings:
//   own         the templates set them; a test compares them with function-app.bicep
//   allocator   the templates set them on allocators
//   instead     the code or the host would read them instead of some of these
//   platform    Azure or a tool of Microsoft adds them, and an app on Flex Consumption does without

import { fleetHub, settingSet, stampSettings } from 'types.bicep'

var known = loadJsonContent('app-settings.json')
var nameCharacters = 'abcdefghijklmnopqrstuvwxyz0123456789_.'
var reference = '@Microsoft.KeyVault('
// App Service resolves it too, but what it names may be readable to many.
var configurationReference = '@Microsoft.AppConfiguration('

func has(names string[], name string) bool => contains(map(names, each => toLower(each)), toLower(name))

func isName(text string) bool =>
  !empty(text) && empty(filter(
    range(0, length(text)),
    index => !contains(nameCharacters, toLower(substring(text, index, 1)))
  ))

func isReference(value string) bool =>
  startsWith(value, reference) && endsWith(value, ')') && (contains(value, 'SecretUri=https://') || (contains(
    value,
    'VaultName='
  ) && contains(value, 'SecretName=')))

// No sentence has a value: it may be a secret.
func settingProblems(where string, name string, value string, secrets string[]) string[] =>
  concat(
    isName(name)
      ? []
      : ['"${name}" of ${where} is not a name of an app setting: write letters, digits, underscores and periods.'],
    has(concat(known.own, known.instead), name)
      ? ['"${name}" of ${where} is an app setting that the templates decide: remove it. Other parameters change it.']
      : [],
    has(known.platform, name)
      ? [
          '"${name}" of ${where} is an app setting that Azure or its tools add, and that these apps do without: remove it.'
        ]
      : [],
    empty(value) ? ['"${name}" of ${where} is empty: write a value, or remove it.'] : [],
    startsWith(value, '@Microsoft.') && !isReference(value) && !startsWith(value, configurationReference)
      ? [
          '"${name}" of ${where} is not a reference to a secret: write @Microsoft.KeyVault(SecretUri=URI_OF_THE_SECRET).'
        ]
      : [],
    (contains(secrets, name) && !startsWith(value, reference)) || (!startsWith(value, '@Microsoft.') && (contains(
        value,
        'SharedAccessKey='
      ) || contains(value, 'SharedAccessSignature') || contains(value, 'AccountKey=')))
      ? [
          '"${name}" of ${where} is a secret, and parameters are not: put it into a key vault, and write @Microsoft.KeyVault(SecretUri=URI_OF_THE_SECRET).'
        ]
      : []
  )

func setProblems(where string, settings settingSet, secrets string[]) string[] =>
  concat(
    flatten(map(items(settings), setting => settingProblems(where, setting.key, setting.value, secrets))),
    map(
      filter(items(groupBy(items(settings), setting => toLower(setting.key))), group => length(group.value) > 1),
      group =>
        '"${group.key}" is in ${where} more than once: remove one. Upper and lower case make no difference to Azure.'
    )
  )

func secretNames(hubs fleetHub[]) string[] =>
  concat(map(filter(hubs, hub => contains(hub, 'connection')), hub => string(hub.?connection)), [
    'OTEL_EXPORTER_OTLP_HEADERS'
  ])

// The settings of the app that reconciles a hub.
func settingsFor(hub fleetHub, settings settingSet, stamps stampSettings[]) settingSet =>
  union(
    settings,
    empty(hub.?stamp ?? '')
      ? first(stamps).?appSettings ?? {}
      : reduce(filter(stamps, stamp => stamp.name == hub.?stamp), {}, (found, stamp) => stamp.?appSettings ?? {})
  )

@export()
@description('What is wrong with the declared app settings, and with what hubs need of them.')
func appSettingProblems(hubs fleetHub[], settings settingSet, stamps stampSettings[]) string[] =>
  concat(
    setProblems('`appSettings`', settings, secretNames(hubs)),
    flatten(map(
      stamps,
      stamp => setProblems('`appSettings` of the stamp "${stamp.name}"', stamp.?appSettings ?? {}, secretNames(hubs))
    )),
    map(
      filter(
        hubs,
        hub => contains(hub, 'connection') && !contains(settingsFor(hub, settings, stamps), string(hub.?connection))
      ),
      hub =>
        'The hub ${hub.host} has its connection string in the app setting ${hub.?connection} (hubs[].connection), which `appSettings` does not declare: write it there as a Key Vault reference, or remove hubs[].connection.'
    )
  )
