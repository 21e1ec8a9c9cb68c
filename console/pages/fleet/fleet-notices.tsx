import type { FleetStatus } from '../../api/contract.ts';
import type { ChangeScope } from '../../commands/berth-commands.ts';
import { ChangeButton } from '../../commands/change-layer.tsx';
import { Notice } from '../../parts/notice.tsx';
import { Ago } from '../../parts/time.tsx';
import { countText, hubName } from '../../words/format.ts';
import { needsPerson, rolloutWaits } from '../../words/rollouts.ts';

/** What an operator must know before reading any number: pauses, problems of the package, hubs that are not trusted. */
export function FleetNotices({ fleet }: { readonly fleet: FleetStatus }) {
  const { build, problems, unknownHubs, onlyCounted } = fleet;
  const isOlder = build.newest !== null && build.newest !== build.running;
  return (
    <div class="notices">
      {problems.length > 0 && (
        <Notice
          tone="bad"
          title="The fleet file of this package has problems. Berth uses the last valid one."
        >
          <ul>
            {problems.map(({ path, message }) => (
              <li key={`${path}${message}`}>
                <code>{path}</code> {message}
              </li>
            ))}
          </ul>
        </Notice>
      )}
      {isOlder && (
        <Notice tone="warn" title="An older package answers.">
          It was built at {build.running}; the newest that has run at {build.newest}. Instances of the older
          one write nothing.
        </Notice>
      )}
      <PauseNotice
        what="Writes to the whole fleet are paused"
        pause={fleet.pause}
        scope={{ kind: 'fleet' }}
      />
      {fleet.hubs.map(({ host, pause }) => (
        <PauseNotice
          key={host}
          what={`Writes to ${hubName(host)} are paused`}
          pause={pause}
          scope={{ kind: 'hub', host }}
        />
      ))}
      {fleet.policies.map(({ id, name, pause }) => (
        <PauseNotice
          key={id}
          what={`The policy ${name} is paused`}
          pause={pause}
          scope={{ kind: 'policy', name }}
        />
      ))}
      {fleet.rollouts.filter(needsPerson).map((rollout) => (
        <Notice
          key={rollout.policy}
          tone="warn"
          title={`The rollout of ${rollout.policy} waits for you.`}
          action={<a href="#/rollouts">Show the rollout</a>}
        >
          {rolloutWaits(rollout)}
        </Notice>
      ))}
      {fleet.hubs
        .flatMap(({ host, sync }) => (sync?.untrusted ? [{ host, ...sync.untrusted }] : []))
        .map(({ host, since, why }) => (
          <Notice
            key={host}
            tone="warn"
            title={`The events of ${hubName(host)} are not trusted.`}
            action={<ChangeButton choices={[{ kind: 'resync', host }]}>Resync …</ChangeButton>}
          >
            Since <Ago at={since} />: {why}. Berth reads each twin before it decides.
          </Notice>
        ))}
      {fleet.hubs
        .flatMap(({ host, liveness }) =>
          liveness?.state === 'silent' || liveness?.state === 'late' ? [{ host, ...liveness }] : [],
        )
        .map(({ host, state, since, why, unchecked }) => (
          <Notice
            key={host}
            tone={state === 'silent' ? 'bad' : 'warn'}
            title={`The events of ${hubName(host)} do not arrive (${state}).`}
          >
            {since !== null && (
              <>
                Since <Ago at={since} />:{' '}
              </>
            )}
            {why}.
            {unchecked !== null &&
              unchecked.twins > 0 &&
              ` ${countText(unchecked.twins)} of ${countText(unchecked.of)} twins are unchecked${
                unchecked.waits === null ? '' : `, because ${unchecked.waits}`
              }.`}
          </Notice>
        ))}
      {unknownHubs.length > 0 && (
        <Notice tone="warn" title="Events of hubs arrive that the fleet file does not list.">
          {unknownHubs.map(({ hubName: name, events }) => `${name} (${countText(events)} events)`).join(', ')}
          . Add them to fleet.json, or remove their route to this Event Hub.
        </Notice>
      )}
      {onlyCounted.events > 0 && (
        <Notice
          tone="warn"
          title={`${countText(onlyCounted.events)} events could not be read and were only counted.`}
        >
          There were more than 10,000 dead letters in an hour. Find the sender by the dead letters that are
          kept.
        </Notice>
      )}
    </div>
  );
}

function PauseNotice({
  what,
  pause,
  scope,
}: {
  readonly what: string;
  readonly pause: FleetStatus['pause'];
  readonly scope: ChangeScope;
}) {
  if (pause === null) return null;
  return (
    <Notice
      tone="warn"
      title={what}
      action={<ChangeButton choices={[{ kind: 'resume', scope }]}>Resume …</ChangeButton>}
    >
      By {pause.author}, <Ago at={pause.at} />: {pause.reason}
    </Notice>
  );
}
