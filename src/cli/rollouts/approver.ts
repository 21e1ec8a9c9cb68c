import type { Control } from '../../control/control.ts';
import { BerthError } from '../../errors.ts';
import { ownEntry } from '../../json/json.ts';
import type { State } from '../shell/state.ts';
import type { PolicyInRollout } from './rollout-state.ts';

/** What decides whether an operator may approve. */
export interface ApprovalFacts {
  /** The Entra sign-in name; undefined: an account key opens the state tables. */
  readonly signIn: string | undefined;
  /** The author of the commit that the package was made of, as git writes it: `Ann <ann@contoso.com>`. */
  readonly packageAuthor: string | undefined;
  /** Empty: every operator may approve. */
  readonly approvers: readonly string[];
}

/**
 * Why an operator may not approve. Undefined: the operator may. With `approvers`, the approval of the author of the package
 * is none: a second person must see the change.
 */
export function whyNotApprover({ signIn, packageAuthor, approvers }: ApprovalFacts): string | undefined {
  if (approvers.length === 0) return undefined;
  if (signIn === undefined) {
    return 'an account key opens the state tables, and a key is no person. Sign in with Entra (az login), and set BERTH_STATE__tableServiceUri instead of a connection string.';
  }
  if (!approvers.some((approver) => isSame(approver, signIn))) {
    return `${signIn} is not one of its approvers: ${approvers.join(', ')}.`;
  }
  if (packageAuthor === undefined) {
    return 'the package does not name the author of its commit. Make it with "npm run package" in a git clone.';
  }
  if (isSame(emailIn(packageAuthor), signIn)) {
    return `${signIn} is the author of the package. Another approver must approve.`;
  }
  return undefined;
}

/**
 * @param author of the approval.
 * @throws BerthError `BERTH_APPROVAL_REFUSED` if the operator may not approve
 */
export async function checkApprover(
  { isSignedIn, revisions }: State,
  { name, hash: content, rollout }: PolicyInRollout,
  author: string,
  row: Control,
): Promise<void> {
  const revision = ownEntry(row.seen, content)?.revision;
  const stored = revision === undefined ? undefined : await revisions.get(revision);
  const refusal = whyNotApprover({
    signIn: isSignedIn ? author : undefined,
    packageAuthor: stored?.author,
    approvers: rollout.approvers,
  });
  if (refusal !== undefined) {
    throw new BerthError(
      'BERTH_APPROVAL_REFUSED',
      `The rollout of the policy "${name}" was not approved: ${refusal}`,
    );
  }
}

function emailIn(author: string): string {
  return /<([^<>]*)>\s*$/.exec(author)?.[1] ?? author;
}

/** Sign-in names have no case. */
function isSame(one: string, other: string): boolean {
  return one.trim().toLowerCase() === other.trim().toLowerCase();
}
