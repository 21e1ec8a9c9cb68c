/**
 * The well-known service policy of the local hubs, used if `IOT_ENDPOINT` is set. It is public on purpose: it only works
 * with an emulator on this machine.
 */
export const DEVELOPMENT_POLICY = {
  keyName: 'iothubowner',
  key: 'YmVydGgtbG9jYWwtZGV2ZWxvcG1lbnQta2V5LTAwMDE=',
} as const;

/**
 * The policy of the app on the local hubs. They allow it what the roles of the app allow in Azure. It is as public as the
 * other one.
 */
export const DEVELOPMENT_APP_POLICY = {
  keyName: 'berth-app',
  key: 'YmVydGgtbG9jYWwtYXBwLXBvbGljeS1rZXktMDAwMDE=',
} as const;
