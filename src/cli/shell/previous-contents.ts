import type { Control } from '../../control/control.ts';
import { contentsToRead } from '../../control/rollouts.ts';
import { type Fleet, rolloutContents } from '../../fleet/fleet.ts';
import { PreviousContents } from '../../instance/previous-contents.ts';
import { EPOCH } from '../../time/epoch-ms.ts';
import type { State } from './state.ts';

/** The fleet file with the earlier contents that devices keep until a rollout reaches them. */
export async function withEarlierContents(
  { revisions }: Pick<State, 'revisions'>,
  fleet: Fleet,
  control: Control,
): Promise<Fleet> {
  const contents = new PreviousContents({
    read: (revision) => revisions.get(revision),
    log: () => {},
    now: () => EPOCH,
  });
  return contents.addTo(fleet, contentsToRead(control, rolloutContents(fleet)));
}
