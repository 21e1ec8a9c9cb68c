/**
 * Up to 128 letters, digits and `-._:`. The last one is a letter, digit or dash. Ids are not case-sensitive
 * (concepts-service.md, for registrations and for enrollment groups).
 */
const REGISTRATION_ID = /^[a-z0-9\-._:]{0,127}[a-z0-9-]$/i;

/** Whether DPS accepts this registration id or enrollment group id. */
export function isRegistrationId(id: string): boolean {
  return REGISTRATION_ID.test(id);
}
