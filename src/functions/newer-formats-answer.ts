import type { HealthDetail } from '../api/contract.ts';
import type { Instance } from '../instance/instance.ts';
import { isoTime } from './http-answer.ts';

/** The stored documents for which this package is too old. */
export function describeNewerFormats({
  newerFormats,
}: Pick<Instance, 'newerFormats'>): HealthDetail['newerFormats'] {
  return newerFormats
    .list()
    .map(({ since, lastAt, ...met }) => ({ ...met, since: isoTime(since), lastAt: isoTime(lastAt) }));
}
