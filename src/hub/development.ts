/**
 * The well-known service policy of the local hubs, used if `IOT_ENDPOINT` is set. It is public on purpose: it only works
 * with an emulator on this machine.
 */
export const DEVELOPMENT_POLICY = {
  keyName: 'iothubowner',
  key: 'YmVydGgtbG9jYWwtZGV2ZWxvcG1lbnQta2V5LTAwMDE=',
} as const;
