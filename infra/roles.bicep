// Every role that this deployment gives, to whom, on what, and why. infra/README.md has the same table, and a test
// compares both with the names and ids that Azure publishes.
//
// Identity of a stamp's Function App (id-berth-STAMP-...), one for each stamp, so that a stamp can only reach its own hubs:
//
//   Storage Blob Data Owner          host storage account   the Functions host: leases, checkpoints, keys, and the package
//   Storage Table Data Contributor   state storage account  Berth's tables, which it makes itself
//   Storage Blob Data Contributor    berth-exports          writes the daily export of the state; the container, not the account
//   Event Hubs Data Receiver         the Event Hub          reads twin events, and asks how many partitions there are
//   IoT Hub Twin Contributor         each hub of the stamp  reads, queries and writes twins
//   IoT Hub Data Reader              each hub of the stamp  the number of devices, and whether an identity is disabled
//   Berth Edge Deployer              each hub of the stamp  applies manifests to IoT Edge devices; only with appliesManifests
//   Berth Scope Writer               each hub of the stamp  enters parents in identities of devices; only with setsScopes
//   Berth Method Caller              each hub of the stamp  calls the direct method of move requests; only with callsMethods
//   Monitoring Metrics Publisher     Application Insights   sends telemetry without a key
//
// Identity of an allocator in another region (id-berth-alloc-...), which never speaks with a hub:
//
//   Storage Blob Data Owner          its host storage       as above
//   Storage Table Data Contributor   state of the stamp     conditions, revisions, receipts
//   Monitoring Metrics Publisher     Application Insights   as above
//
// Identity of the hubs of a stamp, as senders (id-berth-route-...), and each hub's own identity:
//
//   Event Hubs Data Sender           the Event Hub          routes twin changes without a key
//
// The operator, where operatorPrincipalId is given:
//
//   Storage Table Data Contributor   state storage account  the berth command
//   Storage Blob Data Reader         berth-exports          reads an export, to import it
//
// Identity of DPS (id-berth-link-dps-...), where linkAuthentication is identity and linkRoleId is not another role:
//
//   IoT Hub Data Contributor         each hub               makes device identities and their first twins
//
// Not given, on purpose: queue and table roles on the host's account (no queue trigger; the state has an account of its
// own), IoT Hub Data Contributor for the app (registry), Contributor on anything.

@export()
@description('Ids of the built-in roles, which are the same in every tenant.')
var roles = {
  storageBlobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  storageBlobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  storageBlobDataReader: '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'
  storageTableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
  eventHubsDataReceiver: 'a638d3c7-ab3a-418d-83e6-5f17a39d4fde'
  eventHubsDataSender: '2b629674-e913-4c01-ae53-ef4638d8f975'
  iotHubTwinContributor: '494bdba2-168f-4f31-a0a1-191d2f7c028c'
  iotHubDataContributor: '4fc6c259-987e-4a07-842e-c321cc9d413f'
  iotHubDataReader: 'b447c946-2db7-41ec-983d-d8bf3b1c77e3'
  monitoringMetricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
}

@export()
@description('What the custom role Berth Edge Deployer may do, and nothing else.')
var edgeDataActions = [
  'Microsoft.Devices/IotHubs/configurations/applyToEdgeDevice/action'
]

@export()
@description('What the custom role Berth Scope Writer may do, and nothing else.')
var scopeDataActions = [
  'Microsoft.Devices/IotHubs/devices/write'
]

@export()
@description('What the custom role Berth Method Caller may do, and nothing else.')
var methodDataActions = [
  'Microsoft.Devices/IotHubs/directMethods/invoke/action'
]
