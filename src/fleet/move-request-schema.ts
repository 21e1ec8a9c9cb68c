import * as z from 'zod';
import { keyProblem, TWIN_LIMITS } from '../iot-hub/twin-limits.ts';
import { durationField as duration } from './schema-parts.ts';

/** The marker of a component (Microsoft, concepts-convention): a property with this name says something else. */
const COMPONENT_MARKER = '__t';

/** The dotted path of one desired property, within the limits of twins. */
const property = z
  .string()
  .min(1, 'is empty: write the path of a desired property, such as berth.leaveHub')
  .superRefine((text, context) => {
    const keys = text.split('.');
    const wrong = keys.map(keyProblem).find((problem) => problem !== undefined);
    const problem =
      wrong ??
      (keys.length > TWIN_LIMITS.depth + 1
        ? `is nested deeper than ${TWIN_LIMITS.depth} levels`
        : undefined) ??
      (keys.includes(COMPONENT_MARKER)
        ? `has the key "${COMPONENT_MARKER}", which marks a component: use another name`
        : undefined);
    if (problem === undefined || text === '') return;
    context.addIssue({
      code: 'custom',
      message: `${problem}; write the path of a desired property, such as berth.leaveHub`,
    });
  });

/** How devices of a draining hub are asked to register again: `allocation.moves.ask`. */
export const moveRequest = z.strictObject({
  property: property.describe(
    'Dotted path of the desired property that Berth sets on the devices of a draining hub. Its value is the hub to leave.',
  ),
  method: z
    .string()
    .regex(
      /^[A-Za-z0-9_](?:[A-Za-z0-9_.*-]{0,126}[A-Za-z0-9_])?$/,
      'write the name of a direct method: at most 128 letters, digits, "_", ".", "*" or "-"',
    )
    .optional()
    .describe(
      'Direct method that Berth also calls after it set the property. The app then needs a further right.',
    ),
  silentAfter: duration
    .default('1d')
    .describe('A device that shows no life for this long after it was asked is silent'),
});
