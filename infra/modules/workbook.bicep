// What a stamp does, on one page in the portal.

import { tagSet } from '../types.bicep'

@description('Title.')
param displayName string

@description('Azure region.')
param location string

@description('Tags.')
param tags tagSet

@description('Log Analytics workspace.')
param workspaceId string

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, displayName)
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: displayName
    category: 'workbook'
    sourceId: workspaceId
    version: 'Notebook/1.0'
    serializedData: loadTextContent('../workbook.json')
  }
}
