import { deviceHref } from '../../address/route.ts';
import type { TwinOfDevice } from '../../api/contract.ts';
import { Section } from '../../parts/section.tsx';
import { Term } from '../../parts/term.tsx';
import { Ago } from '../../parts/time.tsx';
import { Value } from '../../parts/value.tsx';

/** Tags, model and versions of a twin. */
export function TwinFacts({ twin }: { readonly twin: TwinOfDevice }) {
  const tags = Object.entries(twin.tags);
  return (
    <Section title="Tags and facts">
      <dl class="facts">
        {tags.map(([name, value]) => (
          <div key={name}>
            <dt>
              <code>tags.{name}</code>
            </dt>
            <dd>
              <Value value={value} />
            </dd>
          </div>
        ))}
        {tags.length === 0 && (
          <div>
            <dt>tags</dt>
            <dd class="muted">none</dd>
          </div>
        )}
        <div>
          <dt>hub</dt>
          <dd>{twin.hub}</dd>
        </div>
        {twin.parent !== null && (
          <div>
            <dt>
              <Term explain="The IoT Edge gateway above the device, as its registration named it.">
                parent
              </Term>
            </dt>
            <dd>
              <a href={deviceHref(twin.parent.deviceId)}>{twin.parent.deviceId}</a>
              {twin.parent.why !== '' && <span class="muted"> {twin.parent.why}</span>}
            </dd>
          </div>
        )}
        {twin.modelId !== null && (
          <div>
            <dt>model</dt>
            <dd>
              <code>{twin.modelId}</code>
            </dd>
          </div>
        )}
        <div>
          <dt>
            <Term explain="The newest report of the device, or activity that the hub told of.">
              last sign of life
            </Term>
          </dt>
          <dd>
            <Ago at={twin.lifeAt} />
          </dd>
        </div>
        <div>
          <dt>
            <Term explain="The hub raises them at each change: the whole twin, its desired part, its reported part.">
              versions
            </Term>
          </dt>
          <dd class="number">
            {twin.version}, desired {twin.desiredVersion}, reported {twin.reportedVersion}
          </dd>
        </div>
        {twin.unread !== null && (
          <div>
            <dt>must be read</dt>
            <dd>{twin.unread.why}</dd>
          </div>
        )}
        {twin.patch !== null && (
          <div>
            <dt>
              <Term explain="What Berth would write now to the desired properties.">pending patch</Term>
            </dt>
            <dd>
              <Value value={twin.patch} />
            </dd>
          </div>
        )}
      </dl>
    </Section>
  );
}
