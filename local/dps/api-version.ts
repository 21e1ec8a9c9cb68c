/** The published versions of the runtime API for devices, and those of the device SDKs (azure-rest-api-specs). */
export const RUNTIME_API_VERSIONS: readonly string[] = [
  '2017-08-31-preview',
  '2017-11-15',
  '2018-04-01',
  '2018-09-01-preview',
  '2018-11-01',
  '2019-01-15',
  '2019-03-31',
  '2020-09-01-preview',
  '2021-06-01',
  '2021-10-01',
  '2025-07-01-preview',
  '2026-04-01',
  '2026-07-01-preview',
  '2026-08-31',
  '2026-11-01',
  '2026-11-02-preview',
  '2026-11-15-preview',
];

/** The published versions of the service API. The SDK for C# sends 2019-03-31, the one for C 2018-04-01. */
export const SERVICE_API_VERSIONS: readonly string[] = [
  '2017-08-31-preview',
  '2017-11-15',
  '2018-04-01',
  '2018-09-01-preview',
  '2018-09-01',
  '2018-11-01',
  '2019-03-31',
  '2021-06-01',
  '2021-10-01',
  '2025-07-01-preview',
  '2026-04-01',
  '2026-07-01-preview',
  '2026-11-01',
  '2026-11-02-preview',
  '2026-11-15-preview',
];

/** The published versions of certificates in Azure Resource Manager (Microsoft.Devices/provisioningServices). */
export const CERTIFICATE_API_VERSIONS: readonly string[] = [
  '2017-08-21-preview',
  '2017-11-15',
  '2018-01-22',
  '2020-01-01',
  '2020-03-01',
  '2020-09-01-preview',
  '2021-10-15',
  '2022-02-05',
  '2022-12-12',
  '2023-03-01-preview',
  '2025-02-01-preview',
];

/** Why a request is refused for its api-version; undefined if it has one of these. */
export function problemOfVersion(query: URLSearchParams, published: readonly string[]): string | undefined {
  const version = query.get('api-version');
  if (version !== null && published.includes(version)) return undefined;
  const found =
    version === null ? 'has no api-version' : `has the unknown api-version ${version.slice(0, 40)}`;
  return `The request ${found}. Use one of: ${published.join(', ')}.`;
}
