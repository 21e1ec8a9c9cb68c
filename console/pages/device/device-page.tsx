import { useApi } from '../../api/berth.ts';
import type { DeviceStatus, TwinOfDevice } from '../../api/contract.ts';
import { Empty, Loading, PageHead, Section } from '../../parts/section.tsx';
import { Badge, StatusBadge } from '../../parts/status-badge.tsx';
import { At, LocalTimes } from '../../parts/time.tsx';
import { hubName } from '../../words/format.ts';
import { withoutTwinText } from '../../words/receipt.ts';
import { reasonText, statusWords } from '../../words/statuses.ts';
import { DeviceTimeline } from './device-timeline.tsx';
import { EdgeSection } from './edge-section.tsx';
import { PropertyTable } from './property-table.tsx';
import { TwinFacts } from './twin-facts.tsx';
import { WhyHere } from './why-here.tsx';

/** One device: where it is and why, how its twins stand and why, and its past. */
export function OneDevicePage({ id }: { readonly id: string }) {
  const { body: device, problem } = useApi<DeviceStatus>(`devices/${encodeURIComponent(id)}`);
  if (problem !== undefined) {
    return (
      <>
        <PageHead title={id} />
        <Section title="Berth does not know this device">
          <Empty title={problem.message}>
            Check the spelling: device ids are case-sensitive. A device appears here when it registers through
            DPS, or when its hub sends an event of its twin. An individual enrollment can give a device
            another id than it registers with.
          </Empty>
        </Section>
      </>
    );
  }
  if (device === undefined) return <Loading what={`device ${id}`} />;
  const twin = device.twins.find(({ moduleId }) => moduleId === null) ?? device.twins[0];
  const runtime = device.twins.find(({ edge }) => edge !== undefined);
  const modules = device.twins.filter((each) => each !== twin && !isRuntime(each, runtime));
  return (
    <>
      <PageHead
        title={
          <>
            <span class="muted">Device</span> {device.deviceId}
          </>
        }
        lead={twin === undefined ? withoutTwinText(device.receipts[0]) : <TwinLead twin={twin} />}
        aside={
          twin === undefined ? (
            device.receipts[0]?.result.kind === 'refused' && <Badge tone="bad">refused</Badge>
          ) : (
            <StatusBadge status={twin.status} />
          )
        }
      />
      {runtime?.edge !== undefined && <EdgeSection twin={runtime} edge={runtime.edge} />}
      {twin !== undefined && <TwinSection deviceId={id} twin={twin} title="Properties" />}
      <div class="columns">
        <div class="column-main">
          <WhyHere device={device} />
          {twin !== undefined && <TwinFacts twin={twin} />}
          {modules.map((module) => (
            <TwinSection
              key={`${module.hub} ${module.moduleId}`}
              deviceId={id}
              twin={module}
              title={
                module.moduleId === null ? `Twin on ${hubName(module.hub)}` : `Module ${module.moduleId}`
              }
              isModule
            />
          ))}
        </div>
        <div class="column-side">
          <DeviceTimeline id={id} next={twin?.next} nextAt={twin?.workItem?.at ?? undefined} />
        </div>
      </div>
    </>
  );
}

/** Whether the section "IoT Edge" shows a twin. No policy owns a property of the two modules of the runtime. */
function isRuntime({ hub, moduleId }: TwinOfDevice, shown: TwinOfDevice | undefined): boolean {
  return shown?.hub === hub && (moduleId === '$edgeAgent' || moduleId === '$edgeHub');
}

function TwinLead({ twin }: { readonly twin: TwinOfDevice }) {
  const { label, action } = statusWords(twin.status);
  return (
    <>
      On <b>{hubName(twin.hub)}</b>. The twin has been <b>{label}</b> since <At at={twin.since} />
      {twin.why === '' ? '.' : `: ${reasonText(twin.why)}.`} {twin.status !== 'inSync' && action}
    </>
  );
}

function TwinSection({
  deviceId,
  twin,
  title,
  isModule = false,
}: {
  readonly deviceId: string;
  readonly twin: TwinOfDevice;
  readonly title: string;
  readonly isModule?: boolean;
}) {
  return (
    <Section
      title={title}
      flush
      note={
        <>
          Next step: <LocalTimes text={twin.next} />.
          {twin.suspended !== null && ` Suspended: ${twin.suspended.why}.`}
        </>
      }
      aside={isModule ? <StatusBadge status={twin.status} /> : undefined}
    >
      {twin.paths.length === 0 ? (
        <Empty title="No policy owns a property of this twin.">
          Berth leaves it alone. Add a policy to fleet.json, or check its condition <code>when</code>.
        </Empty>
      ) : (
        <PropertyTable deviceId={deviceId} twin={twin} />
      )}
      {twin.rollouts.length > 0 && (
        <ul class="section-foot">
          {twin.rollouts.map(({ policy, stage, gets, why, until }) => (
            <li key={policy}>
              <a href="#/rollouts">Rollout of {policy}</a>
              {stage !== null && `, stage ${stage}`}: {ROLLOUT_GETS[gets]}
              {why !== '' && ` (${why})`}
              {until !== null && (
                <>
                  {' '}
                  until about <At at={until} />
                </>
              )}
              .
            </li>
          ))}
        </ul>
      )}
      <p class="section-foot muted">
        State of the twin as of <At at={twin.asOf} />, version {twin.version}.
      </p>
    </Section>
  );
}

/** What the device gets of a policy whose rollout is not complete. */
const ROLLOUT_GETS: Readonly<Record<TwinOfDevice['rollouts'][number]['gets'], string>> = {
  new: 'the device has the new content',
  previous: 'the device keeps the earlier content',
  nothing: 'the device gets nothing yet, because there is no earlier content',
  back: 'the device gets back the values from before the rollout',
};
