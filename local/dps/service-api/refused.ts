import type { DpsRefusal } from '../registration/dps-error.ts';

/** A refusal of the service API, thrown up to the code that answers it. */
export class Refused extends Error {
  readonly refusal: DpsRefusal;

  constructor(refusal: DpsRefusal, message: string) {
    super(message);
    this.name = 'Refused';
    this.refusal = refusal;
  }
}

/** `*` matches every existing record. A missing record matches nothing. */
export function checkMatch(
  ifMatch: string,
  before: { readonly etag: string } | undefined,
  what: 'enrollment' | 'registration',
): void {
  const bare = (etag: string) => etag.replace(/^"|"$/g, '');
  if (before !== undefined && (ifMatch === '*' || bare(ifMatch) === bare(before.etag))) return;
  throw new Refused('preconditionFailed', `If-Match is not the ETag of the ${what}.`);
}
