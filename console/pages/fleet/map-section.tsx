import type { FleetStatus, HubStatus } from '../../api/contract.ts';
import { placeOf } from '../../map/regions.ts';
import { type MapMove, type MapRegion, WorldMap } from '../../map/world-map.tsx';
import { Empty, Section } from '../../parts/section.tsx';
import { Ago } from '../../parts/time.tsx';
import { countedText, hubName, shareText } from '../../words/format.ts';

/** Where the hubs and their devices are, and which devices move. */
export function MapSection({ fleet }: { readonly fleet: FleetStatus }) {
  const regions = regionsOf(fleet.hubs);
  return (
    <Section
      title="Regions and moves"
      note="A circle is a region; its area grows with the devices on its hubs. Dashed arrows are gradual moves."
    >
      {regions.length === 0 ? (
        <Empty title="No hub of the fleet file has a known Azure region.">
          Set hubs[].region, such as westeurope.
        </Empty>
      ) : (
        <WorldMap label={mapText(regions)} regions={regions} moves={movesOf(fleet, regions)} />
      )}
      <Moves fleet={fleet} />
    </Section>
  );
}

function regionsOf(hubs: readonly HubStatus[]): readonly MapRegion[] {
  const names = [...new Set(hubs.map(({ region }) => region))];
  return names.flatMap((name) => {
    const place = placeOf(name);
    if (place === undefined) return [];
    const here = hubs.filter(({ region }) => region === name);
    const devices = here.reduce((sum, hub) => sum + (hub.devices ?? 0), 0);
    const share = here.reduce((sum, hub) => sum + hub.share.actual, 0);
    const [only] = here;
    return [
      {
        name,
        place,
        devices,
        lines: [
          here.length === 1 && only !== undefined ? hubName(only.host) : `${here.length} hubs`,
          `${countedText(devices, 'device')}, ${shareText(share)}`,
        ],
        isDraining: here.every(({ state }) => state === 'draining'),
      },
    ];
  });
}

function movesOf(fleet: FleetStatus, regions: readonly MapRegion[]): readonly MapMove[] {
  const drained = fleet.hubs.filter(({ state }) => state === 'draining').map(({ region }) => region);
  const targets = fleet.hubs.filter(({ state }) => state === 'active').map(({ region }) => region);
  const isShown = (name: string) => regions.some((region) => region.name === name);
  const moves = drained.flatMap((from) => targets.map((to) => ({ from, to })));
  return moves.filter(({ from, to }) => from !== to && isShown(from) && isShown(to));
}

function mapText(regions: readonly MapRegion[]): string {
  return `Map. ${regions.map(({ name, lines }) => `${name}: ${lines.join(', ')}`).join('. ')}.`;
}

function Moves({ fleet: { moves } }: { readonly fleet: FleetStatus }) {
  if (moves.length === 0) return <p class="note">No gradual move is active.</p>;
  return (
    <ul class="moves">
      {moves.map(({ cause, since, progress }) => (
        <li key={cause}>
          <b>{causeText(cause)}</b>{' '}
          {since === null ? (
            'begin within a minute.'
          ) : (
            <>
              reached {shareText(progress)} of the devices; began <Ago at={since} />.
            </>
          )}
        </li>
      ))}
    </ul>
  );
}

function causeText(cause: string): string {
  return cause.startsWith('drain:')
    ? `Moves away from ${hubName(cause.slice('drain:'.length))}:`
    : 'Moves to faster hubs:';
}
