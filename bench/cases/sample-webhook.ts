/**
 * The logic of the C# function in Microsoft's tutorial "Use custom allocation policies" (tutorial-custom-allocation-policies,
 * 2022-09) in TypeScript: it looks for the name of the device's division in the registration id and in the linked hubs.
 *
 * @returns the body of the answer
 */
export function sampleWebhook(body: string): string {
  const data = JSON.parse(body) as {
    readonly deviceRuntimeContext?: { readonly registrationId?: string };
    readonly linkedHubs?: readonly string[];
  };
  const registrationId = data.deviceRuntimeContext?.registrationId;
  if (registrationId === undefined) return 'Registration ID not provided for the device.';
  const { linkedHubs } = data;
  if (linkedHubs === undefined) return 'No hub group defined for the enrollment.';
  const division = DIVISIONS.find(([part]) => registrationId.includes(part))?.[1];
  // The tutorial refuses other devices. The answer of the first hub takes the same time.
  const iotHubHostName = linkedHubs.find((host) => division !== undefined && host.includes(division));
  return JSON.stringify({ iotHubHostName: iotHubHostName ?? linkedHubs[0] });
}

const DIVISIONS: readonly (readonly [part: string, division: string])[] = [
  ['-contoso-tstrsd-', '-toasters-'],
  ['-contoso-hpsd-', '-heatpumps-'],
];
