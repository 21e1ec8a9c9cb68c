/**
 * What a caller may do with a hub, as Microsoft Entra ID checks it. `Microsoft.Devices/IotHubs/` stands before each (Azure
 * permissions for Internet of Things; iot-hub-dev-guide-azure-ad-rbac).
 */
export type DataAction =
  | 'devices/read'
  | 'devices/write'
  | 'devices/delete'
  | 'twins/read'
  | 'twins/write'
  | 'jobs/read'
  | 'jobs/write'
  | 'jobs/delete'
  | 'cloudToDeviceMessages/send/action'
  | 'cloudToDeviceMessages/feedback/action'
  | 'cloudToDeviceMessages/queue/purge/action'
  | 'directMethods/invoke/action'
  | 'fileUpload/notifications/action'
  | 'statistics/read'
  | 'configurations/read'
  | 'configurations/write'
  | 'configurations/delete'
  | 'configurations/applyToEdgeDevice/action'
  | 'configurations/testQueries/action';

export const DATA_ACTION_PREFIX = 'Microsoft.Devices/IotHubs/';

/** Whether the data actions of a role allow an action. `*` stands for any text (Azure role definitions). */
export function allows(dataActions: readonly string[], action: DataAction): boolean {
  const wanted = `${DATA_ACTION_PREFIX}${action}`.toLowerCase();
  return dataActions.some((pattern) => {
    const [first = '', ...others] = pattern.toLowerCase().split('*');
    if (others.length === 0) return first === wanted;
    const last = others.at(-1) ?? '';
    // No role of the app has two stars.
    return wanted.length >= first.length + last.length && wanted.startsWith(first) && wanted.endsWith(last);
  });
}
