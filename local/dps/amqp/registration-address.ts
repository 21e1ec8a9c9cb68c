/** The scope and the id in `{idScope}/registrations/{registrationId}`: a user name or the address of a link. */
export interface RegistrationAddress {
  readonly scope: string;
  readonly registrationId: string;
}

/**
 * Reads the address of a registration, encoded or not, with or without a scheme and host; undefined for any other text.
 * Every id scope begins with `0ne`, so each such address is meant for this or another DPS.
 *
 * @example '0ne00000001/registrations/dev-1', 'amqps://host/0ne00000001/registrations/dev%3A1'
 */
export function readRegistrationAddress(text: string, idScope: string): RegistrationAddress | undefined {
  const bare = text.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, '').replace(/^\//, '');
  const [scope = '', collection, id, ...more] = decoded(bare).split('/');
  const isScope = scope.toLowerCase() === idScope.toLowerCase() || /^0ne/i.test(scope);
  if (!isScope || collection?.toLowerCase() !== 'registrations' || !id || more.length > 0) return undefined;
  return { scope, registrationId: id };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
