// An alert when a metric of one resource is above, or below, a number. Azure has no rule for several hubs at once.

import { metricCondition, tagSet } from '../types.bicep'

@description('Name.')
param name string

@description('Tags.')
param tags tagSet

@description('What it means, and what to do.')
param text string

@description('1: devices suffer now. 2: they will.')
param severity int

@description('Resource that is watched. It may be in another resource group.')
param resourceId string

@description('When it fires.')
param condition metricCondition

@description('How often Azure looks.')
param frequency string

@description('Over which time.')
param window string

@description('Action groups to call.')
param actionGroupIds string[]

resource alert 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: name
  location: 'global'
  tags: tags
  properties: {
    description: text
    severity: severity
    enabled: true
    scopes: [
      resourceId
    ]
    evaluationFrequency: frequency
    windowSize: window
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'condition'
          metricNamespace: condition.namespace
          metricName: condition.metric
          dimensions: condition.?dimensions ?? []
          timeAggregation: condition.aggregation
          operator: condition.operator
          threshold: condition.threshold
        }
      ]
    }
    actions: map(actionGroupIds, id => {
      actionGroupId: id
    })
  }
}
