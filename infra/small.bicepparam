// To try it: one free hub, nothing always ready, a cap on logs. Copy fleet.small.json to fleet.json, change the name of
// the hub in it (nobody else in Azure may have it), and read the hubs from there.
using './main.bicep'

param environmentName = 'berth-try'
param location = 'westeurope'

param hubs = loadJsonContent('fleet.small.json').hubs
param appliesManifests = contains(loadJsonContent('fleet.small.json'), 'edge')
param setsScopes = any(loadJsonContent('fleet.small.json')).?allocation.?setScopes ?? false
param callsMethods = contains(any(loadJsonContent('fleet.small.json')).?allocation.?moves.?ask ?? {}, 'method')

param httpAlwaysReady = 0
param eventRetentionDays = 1
param logRetentionDays = 30
// The log is the record of every decision: a cap may lose some. Not for production.
param logDailyCapGb = 1
// Each run of the test is billed.
param availabilityTests = false
