import type { HubStatus } from '../../api/contract.ts';
import { hubName, shareText } from '../../words/format.ts';
import { bandOf, targetOf, targetText } from '../../words/share.ts';

/** The share of devices that a hub has, against the one that it can expect, with the spread that chance makes. */
export function ShareBar({
  host,
  share,
  devices,
  widest,
}: {
  readonly host: string;
  readonly share: HubStatus['share'];
  /** On all hubs. */
  readonly devices: number;
  /** The share at the right end, the same for all hubs. */
  readonly widest: number;
}) {
  const target = targetOf(share, devices);
  const band = bandOf(target);
  const end = Math.min(1, widest * 1.15);
  const at = (part: number) => `${Math.min(100, (part / end) * 100)}%`;
  const text = `${hubName(host)} has ${shareText(share.actual)} of the devices; ${targetText(target)} are expected by ${target.follows}; its weight asks for ${shareText(share.wanted)}`;
  return (
    <div class="share">
      <div class="share-bar" role="img" aria-label={text} title={text}>
        {band !== undefined && (
          <div
            class="share-band"
            style={{ left: at(band.low), width: `calc(${at(band.high)} - ${at(band.low)})` }}
          />
        )}
        <div class="share-fill" style={{ width: at(share.actual) }} />
        <div class="share-mark" style={{ left: at(target.share) }} />
      </div>
      <span class="share-text">
        <b>{shareText(share.actual)}</b>
        <span class="muted">expected: {targetText(target)}</span>
        {share.expected !== null && <span class="muted">by weight: {shareText(share.wanted)}</span>}
      </span>
    </div>
  );
}
