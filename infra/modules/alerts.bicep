// Alerts on what Berth logs. Each line is JSON with `event`, and `code` where docs/errors.md has a row for it; a test
// compares the names in these queries with those in src/.
//
// Azure switches off a rule whose query fails for a week, and a query fails where its table had no row for 30 days. So a
// query that looks for silence reads its table with `union isfuzzy=true`, which takes a missing table as an empty one, and
// `rule-switched-off` fires when Azure switches off any rule.

import { logAlert, tagSet } from '../types.bicep'

@description('Part of every name.')
param suffix string

@description('Azure region of the workspace.')
param location string

@description('Tags.')
param tags tagSet

@description('Log Analytics workspace.')
param workspaceId string

@description('Action groups to call.')
param actionGroupIds string[]

// Severity: 1 devices suffer now, 2 they will, 3 somebody should look.
var alerts logAlert[] = [
  {
    key: 'failed-registrations'
    title: 'Registrations fail'
    description: 'More than 10 registrations in 15 minutes were answered with an error, those that a rule denies apart.'
    severity: 1
    frequency: 'PT5M'
    window: 'PT15M'
    threshold: 10
    query: '''
      AppTraces
      | where OperationName == "allocateDevice" and Message has_any ("refused", "defect")
      | extend line = parse_json(Message)
      | extend event = tostring(line.event), code = tostring(line.code)
      | where event in ("refused", "defect") and code != "BERTH_REGISTRATION_DENIED"
    '''
  }
  {
    key: 'fleet-invalid'
    title: 'The deployed fleet file cannot be used'
    description: 'Berth runs the last good one, or answers 503 where there is none.'
    severity: 1
    frequency: 'PT5M'
    window: 'PT15M'
    threshold: 0
    query: '''
      AppTraces
      | where Message has "fleetInvalid"
      | extend line = parse_json(Message)
      | extend event = tostring(line.event), code = tostring(line.code)
      | where event == "fleetInvalid"
    '''
  }
  {
    key: 'quota-spent'
    title: 'A hub has spent its daily quota (403002)'
    description: 'Until 00:00 UTC the hub takes no messages: no twin changes and no telemetry.'
    severity: 1
    frequency: 'PT5M'
    window: 'PT15M'
    threshold: 0
    query: '''
      AppTraces
      | where Message has "BERTH_HUB_QUOTA_EXCEEDED"
      | extend line = parse_json(Message)
      | extend event = tostring(line.event), code = tostring(line.code)
      | where event == "hubTrouble" and code == "BERTH_HUB_QUOTA_EXCEEDED"
    '''
  }
  {
    key: 'hub-refuses'
    title: 'A hub refuses the app'
    description: 'The identity lacks a role on the hub, or a connection setting is wrong.'
    severity: 2
    frequency: 'PT15M'
    window: 'PT30M'
    threshold: 0
    query: '''
      AppTraces
      | where Message has "BERTH_HUB_UNAUTHORIZED"
      | extend line = parse_json(Message)
      | extend event = tostring(line.event), code = tostring(line.code)
      | where event == "hubTrouble" and code == "BERTH_HUB_UNAUTHORIZED"
    '''
  }
  // A count of the devices of each hub fails once a minute, and other calls fail too. So minutes are counted, not lines.
  {
    key: 'hub-unavailable'
    title: 'A hub is not available'
    description: 'For ten minutes: it is disabled or deleted, it fails over, or Berth cannot reach it. The line in the log says which.'
    severity: 1
    frequency: 'PT5M'
    window: 'PT15M'
    threshold: 0
    query: '''
      AppTraces
      | where Message has "BERTH_HUB_UNAVAILABLE"
      | extend line = parse_json(Message)
      | extend event = tostring(line.event), code = tostring(line.code)
      | where event == "hubTrouble" and code == "BERTH_HUB_UNAVAILABLE"
      | summarize minutes = dcount(bin(TimeGenerated, 1m)), lasted = max(TimeGenerated) - min(TimeGenerated) by hub = tostring(line.hub)
      | where minutes >= 5 and lasted >= 10m
    '''
  }
  {
    key: 'throttled'
    title: 'A hub throttles, or does not answer'
    description: 'More than one call in ten to a hub failed over 30 minutes, or the hub said 429 to the audit.'
    severity: 2
    frequency: 'PT15M'
    window: 'PT30M'
    threshold: 0
    query: '''
      AppTraces
      | where Message has_any ("syncCounts", "BERTH_HUB_THROTTLED", "BERTH_HUB_TIMEOUT")
      | extend line = parse_json(Message)
      | extend event = tostring(line.event), code = tostring(line.code)
      | where event in ("syncCounts", "hubTrouble")
      | extend calls = tolong(line.reads) + tolong(line.writes) + tolong(line["queries"]), failed = tolong(line.failed)
      | summarize calls = sum(calls), failed = sum(failed), named = countif(event == "hubTrouble") by hub = tostring(line.hub)
      | where named >= 5 or (calls >= 50 and failed > calls * 0.1)
    '''
  }
  {
    key: 'events-late'
    title: 'Twin events wait'
    description: 'Events were older than five minutes when they were read: the app lags behind, or was stopped.'
    severity: 2
    frequency: 'PT5M'
    window: 'PT15M'
    threshold: 0
    query: '''
      AppTraces
      | where Message has "twinEventsLate"
      | extend line = parse_json(Message)
      | extend event = tostring(line.event), code = tostring(line.code)
      | where event == "twinEventsLate"
      | summarize ageMs = max(tolong(line.ageMs)) by partition = tostring(line.partition)
      | where ageMs > 300000
    '''
  }
  {
    key: 'events-unread'
    title: 'Twin events are not read at all'
    description: 'Events came in for half an hour and none was read: the trigger does not run.'
    severity: 1
    frequency: 'PT15M'
    window: 'PT30M'
    threshold: 0
    query: '''
      union isfuzzy=true (datatable(ResourceProvider: string, MetricName: string, Total: real) []), AzureMetrics
      | where ResourceProvider == "MICROSOFT.EVENTHUB" and MetricName in ("IncomingMessages", "OutgoingMessages")
      | summarize incoming = sumif(Total, MetricName == "IncomingMessages"), outgoing = sumif(Total, MetricName == "OutgoingMessages")
      | where incoming > 0 and outgoing == 0
    '''
  }
  // One line says that such a state begins, and one that it ends. The newest one within two days, the longest window, decides.
  {
    key: 'hub-silent'
    title: 'A hub is silent'
    description: 'Twin change events of a hub do not arrive, although the Event Hub is read (docs/operations.md, A hub is silent).'
    severity: 1
    frequency: 'PT5M'
    window: 'P2D'
    threshold: 0
    query: '''
      AppTraces
      | where Message has "BERTH_HUB_SILENT"
      | extend line = parse_json(Message)
      | extend event = tostring(line.event), code = tostring(line.code)
      | where event == "hubTrouble"
      | summarize arg_max(TimeGenerated, code) by hub = tostring(line.hub)
      | where code == "BERTH_HUB_SILENT"
    '''
  }
  {
    key: 'hub-late'
    title: 'Nothing is known of a hub'
    description: 'Events of a hub wait in the Event Hub for more than ten minutes (docs/operations.md, A hub is silent).'
    severity: 2
    frequency: 'PT5M'
    window: 'P2D'
    threshold: 0
    query: '''
      AppTraces
      | where Message has "BERTH_HUB_LATE"
      | extend line = parse_json(Message)
      | extend event = tostring(line.event), code = tostring(line.code)
      | where event == "hubTrouble"
      | summarize arg_max(TimeGenerated, code) by hub = tostring(line.hub)
      | where code == "BERTH_HUB_LATE"
    '''
  }
  {
    key: 'trigger-stopped'
    title: 'The function syncTwins has stopped'
    description: 'Events wait in the Event Hub, and a checkpoint has not moved for ten minutes (docs/operations.md, A hub is silent).'
    severity: 1
    frequency: 'PT5M'
    window: 'P2D'
    threshold: 0
    query: '''
      AppTraces
      | where Message has "BERTH_TRIGGER_STOPPED"
      | extend line = parse_json(Message)
      | extend event = tostring(line.event), code = tostring(line.code)
      | where event == "hubTrouble"
      | summarize arg_max(TimeGenerated, code)
      | where code == "BERTH_TRIGGER_STOPPED"
    '''
  }
  {
    key: 'reader-unknown'
    title: 'Berth cannot see how far the Event Hub is read'
    description: 'The Event Hub or the checkpoints cannot be read for ten minutes: a role or the network (docs/operations.md, A hub is silent).'
    severity: 2
    frequency: 'PT5M'
    window: 'P2D'
    threshold: 0
    query: '''
      AppTraces
      | where Message has "BERTH_READER_UNKNOWN"
      | extend line = parse_json(Message)
      | extend event = tostring(line.event), code = tostring(line.code)
      | where event == "hubTrouble"
      | summarize arg_max(TimeGenerated, code)
      | where code == "BERTH_READER_UNKNOWN"
    '''
  }
  {
    key: 'sync-fails'
    title: 'Twin sync cannot store what it reads'
    description: 'syncTwins fails and is tried again without end, so partitions stand still. The state tables cannot be reached.'
    severity: 1
    frequency: 'PT5M'
    window: 'PT15M'
    threshold: 2
    query: '''
      AppRequests
      | where Name == "syncTwins" and Success == false
    '''
  }
  {
    key: 'resync-silent'
    title: 'resyncFleet does not run'
    description: 'Nothing is counted, retried or audited; new devices are placed by old counts.'
    severity: 2
    frequency: 'PT15M'
    window: 'PT30M'
    threshold: 0
    query: '''
      union isfuzzy=true (datatable(Name: string, Success: bool) []), AppRequests
      | where Name == "resyncFleet" and Success == true
      | summarize runs = count()
      | where runs == 0
    '''
  }
  {
    key: 'dead-letters'
    title: 'Events could not be read'
    description: 'They are kept: berth dead-letters list (docs/operations.md, Poisoned events).'
    severity: 2
    frequency: 'PT15M'
    window: 'PT30M'
    threshold: 0
    query: '''
      AppTraces
      | where Message has "twinsSynchronised"
      | extend line = parse_json(Message)
      | extend event = tostring(line.event), code = tostring(line.code)
      | where event == "twinsSynchronised" and tolong(line.deadLetters) > 0
    '''
  }
  {
    key: 'dead-letters-capped'
    title: 'More events could not be read than are kept'
    description: 'More than 10,000 in an hour: of the rest only the number is kept, by hub, source and code (berth dead-letters counts).'
    severity: 2
    frequency: 'PT5M'
    window: 'PT15M'
    threshold: 0
    query: '''
      AppTraces
      | where Message has "deadLettersCapped"
      | extend line = parse_json(Message)
      | extend event = tostring(line.event), code = tostring(line.code)
      | where event == "deadLettersCapped" and code == "BERTH_DEAD_LETTERS_CAPPED"
    '''
  }
  {
    key: 'endpoint-unhealthy'
    title: 'A hub does not deliver to the Event Hub'
    description: 'A hub says that its endpoint for twin changes is dead or unhealthy, or that it dropped messages (docs/operations.md, A hub is silent).'
    severity: 1
    frequency: 'PT5M'
    window: 'PT15M'
    threshold: 0
    query: '''
      union isfuzzy=true (datatable(ResourceProvider: string, Category: string, OperationName: string, properties_s: string) []), AzureDiagnostics
      | where ResourceProvider == "MICROSOFT.DEVICES" and Category == "Routes" and properties_s has "berth-twin-events"
      | where OperationName in~ ("EndpointDead", "EndpointUnhealthy", "DroppedMessage")
    '''
  }
  {
    key: 'gaps'
    title: 'Twin events do not follow each other'
    description: 'More than one event in twenty of a hub did not follow what was known; each costs a read.'
    severity: 3
    frequency: 'PT1H'
    window: 'PT2H'
    threshold: 0
    query: '''
      AppTraces
      | where Message has "syncCounts"
      | extend line = parse_json(Message)
      | extend event = tostring(line.event), code = tostring(line.code)
      | where event == "syncCounts"
      | summarize merged = sum(tolong(line.merged)), gaps = sum(tolong(line.gaps)) by hub = tostring(line.hub)
      | where merged + gaps >= 200 and gaps > (merged + gaps) * 0.05
    '''
  }
  {
    key: 'hub-untrusted'
    title: 'Events of a hub are not trusted any more'
    description: 'A read comes before every decision, until berth resync --hub.'
    severity: 2
    frequency: 'PT15M'
    window: 'PT30M'
    threshold: 0
    query: '''
      AppTraces
      | where Message has "BERTH_HUB_UNTRUSTED"
      | extend line = parse_json(Message)
      | extend event = tostring(line.event), code = tostring(line.code)
      | where event == "hubTrouble" and code == "BERTH_HUB_UNTRUSTED"
    '''
  }
  {
    key: 'policy-paused'
    title: 'A policy has paused itself'
    description: 'Too many of the devices that it has reached reject it (docs/operations.md, A policy that paused itself).'
    severity: 2
    frequency: 'PT15M'
    window: 'PT30M'
    threshold: 0
    query: '''
      AppTraces
      | where Message has "BERTH_POLICY_REJECTED"
      | extend line = parse_json(Message)
      | extend event = tostring(line.event), code = tostring(line.code)
      | where event == "hubTrouble" and code == "BERTH_POLICY_REJECTED"
    '''
  }
  {
    key: 'rollout-failed'
    title: 'A rollout has failed'
    description: 'Its gate has failed in a stage, so it is paused or goes back: berth rollouts show POLICY (docs/operations.md, A rollout in stages).'
    severity: 2
    frequency: 'PT5M'
    window: 'PT15M'
    threshold: 0
    query: '''
      AppTraces
      | where Message has "BERTH_ROLLOUT_FAILED"
      | extend line = parse_json(Message)
      | extend event = tostring(line.event), code = tostring(line.code)
      | where event == "hubTrouble" and code == "BERTH_ROLLOUT_FAILED"
    '''
  }
  {
    key: 'rollout-approval'
    title: 'A rollout waits for an approval'
    description: 'No further device gets the content until you approve the next stage: berth rollouts approve POLICY (docs/operations.md, A rollout in stages).'
    severity: 3
    frequency: 'PT15M'
    window: 'PT30M'
    threshold: 0
    query: '''
      AppTraces
      | where Message has "BERTH_ROLLOUT_NEEDS_APPROVAL"
      | extend line = parse_json(Message)
      | extend event = tostring(line.event), code = tostring(line.code)
      | where event == "hubTrouble" and code == "BERTH_ROLLOUT_NEEDS_APPROVAL"
    '''
  }
  {
    key: 'initial-twin'
    title: 'An initial twin does not fit'
    description: 'A value of a layer is beyond the limits of a twin, and was left out.'
    severity: 3
    frequency: 'PT1H'
    window: 'PT2H'
    threshold: 0
    query: '''
      AppTraces
      | where Message has "initialTwinBeyondLimits"
      | extend line = parse_json(Message)
      | extend event = tostring(line.event), code = tostring(line.code)
      | where event == "initialTwinBeyondLimits"
    '''
  }
  {
    key: 'export-failed'
    title: 'The daily export of the state has failed'
    description: 'After a loss of the state, pauses and rollouts come from the last export.'
    severity: 2
    frequency: 'PT1H'
    window: 'PT2H'
    threshold: 0
    query: '''
      AppTraces
      | where Message has "BERTH_EXPORT_FAILED"
      | extend line = parse_json(Message)
      | extend event = tostring(line.event), code = tostring(line.code)
      | where event == "stateExportFailed" and code == "BERTH_EXPORT_FAILED"
    '''
  }
  {
    key: 'receipts-lost'
    title: 'Copies of receipts were lost'
    description: 'The log has them; GET /api/devices has not.'
    severity: 3
    frequency: 'PT1H'
    window: 'PT2H'
    threshold: 0
    query: '''
      AppTraces
      | where Message has "receiptsLost"
      | extend line = parse_json(Message)
      | extend event = tostring(line.event), code = tostring(line.code)
      | where event == "receiptsLost"
    '''
  }
]

module logAlerts 'log-alerts.bicep' = {
  name: 'log-alerts-${suffix}'
  params: {
    suffix: suffix
    location: location
    tags: tags
    workspaceId: workspaceId
    alerts: alerts
    actionGroupIds: actionGroupIds
  }
}

// The Activity log has an entry when Azure switches off a log alert of the resource group because its query fails.
resource switchedOff 'Microsoft.Insights/activityLogAlerts@2020-10-01' = {
  name: 'berth-rule-switched-off-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    description: 'Azure has switched off a log alert, because its query failed for a week. Turn it on again: az monitor scheduled-query update --name NAME --resource-group GROUP --disabled false'
    enabled: true
    scopes: [
      resourceGroup().id
    ]
    condition: {
      allOf: [
        {
          field: 'category'
          equals: 'Administrative'
        }
        {
          field: 'operationName'
          equals: 'Microsoft.Insights/ScheduledQueryRules/disable/action'
        }
      ]
    }
    actions: {
      actionGroups: map(actionGroupIds, id => {
        actionGroupId: id
      })
    }
  }
}
