import { isObject, jsonOrUndefined } from '../json/json.ts';

/** The longest text that is repeated of an error. */
const LONGEST = 300;

/**
 * What an error body says, in one line: `{errorCode, message}` of DPS, `{error: {code, message}}` of Azure Resource Manager,
 * `{code, message}` of the resource provider of hubs. Empty for any other body.
 *
 * @param secrets patterns of texts that may be secrets. Each match is replaced by `****`.
 */
export function saidIn(body: string, secrets: readonly RegExp[]): string {
  const json = jsonOrUndefined(body);
  const inner = isObject(json) && isObject(json.error) ? json.error : json;
  if (!isObject(inner)) return '';
  const code = inner.errorCode ?? inner.code;
  const message = typeof inner.message === 'string' ? inner.message : '';
  const masked = secrets.reduce((text, secret) => text.replace(secret, '****'), message);
  return (
    [typeof code === 'number' || typeof code === 'string' ? String(code) : '', masked]
      .filter((part) => part !== '')
      .join(' ')
      .replace(/\s+/g, ' ')
      // The text is shown on a terminal.
      .replace(/[\p{Cc}\p{Cf}]/gu, '')
      .replace(/\.$/, '')
      .slice(0, LONGEST)
  );
}
