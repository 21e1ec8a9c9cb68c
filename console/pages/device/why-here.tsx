import { useState } from 'preact/hooks';
import type { DeviceStatus, ReceiptAnswer } from '../../api/contract.ts';
import { Icon } from '../../parts/icons.tsx';
import { Empty, Section } from '../../parts/section.tsx';
import { Term } from '../../parts/term.tsx';
import { At } from '../../parts/time.tsx';
import { Value } from '../../parts/value.tsx';
import { clockText, figureText, hubName, revisionText, timeOf } from '../../words/format.ts';
import { placeSentences } from '../../words/place.ts';
import {
  conditionsText,
  decisionSentences,
  decisionText,
  type RankedHub,
  rankedHubs,
  receiptNotes,
  ruleText,
} from '../../words/receipt.ts';

/** Why the device is on its hub: the receipt of a decision, in words, as a ranking and in full. */
export function WhyHere({ device }: { readonly device: DeviceStatus }) {
  const [chosen, setChosen] = useState(0);
  const receipt = device.receipts[Math.min(chosen, device.receipts.length - 1)];
  if (receipt === undefined) {
    return (
      <Section title="Where, and why">
        <Empty title="No decision about this device is stored.">
          It registered before Berth, or more than the retention of receipts ago. At its next registration,
          the reasons appear here.
        </Empty>
      </Section>
    );
  }
  return (
    <Section
      title="Where, and why"
      note={
        <>
          The decision of <At at={receipt.at} />, with fleet revision{' '}
          <code>{revisionText(receipt.revision)}</code>.
        </>
      }
      aside={
        device.receipts.length > 1 && (
          <select
            aria-label="Decision"
            value={String(chosen)}
            onChange={(event) => setChosen(Number(event.currentTarget.value))}
          >
            {device.receipts.map(({ at }, index) => (
              <option key={at} value={String(index)}>
                {index === 0 ? 'newest: ' : ''}
                {clockText(timeOf(at) ?? 0, Date.now())}
              </option>
            ))}
          </select>
        )
      }
    >
      <ul class="sentences">
        {[...decisionSentences(receipt), ...placeSentences(receipt)].map((text) => (
          <li key={text}>{text}</li>
        ))}
      </ul>
      <Ranking receipt={receipt} />
      <Rules receipt={receipt} />
      <details class="details">
        <summary>All inputs and notes</summary>
        <Details receipt={receipt} />
      </details>
    </Section>
  );
}

function Ranking({ receipt }: { readonly receipt: ReceiptAnswer }) {
  const hubs = rankedHubs(receipt);
  return (
    <>
      <p class="note">
        <Term explain="A number from the device, the hub and its weight (weighted rendezvous hashing). It is always the same for the same input. A higher weight or a lower latency lowers it.">
          Score
        </Term>
        : the lowest wins. A shorter bar is better.
      </p>
      <ol class="ranking" aria-label="Hubs, the best score first">
        {hubs.map((hub) => (
          <RankedRow key={hub.host} hub={hub} />
        ))}
      </ol>
    </>
  );
}

function RankedRow({ hub }: { readonly hub: RankedHub }) {
  const { host, rank, score, length, isResult, latency, weight, note, excluded } = hub;
  return (
    <li class={isResult ? 'ranked chosen' : 'ranked'}>
      <span class="ranked-name" title={host}>
        <span class="rank number">{rank ?? ''}</span>
        {rank === undefined && <Icon name="cross" />}
        {hubName(host)}
        {isResult && (
          <span class="badge tone-good">
            <Icon name="check" />
            its hub
          </span>
        )}
      </span>
      {excluded === undefined ? (
        <span class="ranked-bar">
          <span class="ranked-fill" style={{ width: `calc((100% - 70px) * ${Math.max(0.01, length)})` }} />
          <span class="number">{figureText(score, 4)}</span>
        </span>
      ) : (
        <span class="ranked-excluded">excluded: {excluded}</span>
      )}
      <span class="ranked-facts muted">
        weight {weight}, {latency}
        {note === '' ? '' : `; ${note}`}
      </span>
    </li>
  );
}

function Rules({ receipt: { rules } }: { readonly receipt: ReceiptAnswer }) {
  if (rules.length === 0) return <p class="note">No rule matched, and none was unknown.</p>;
  return (
    <ul class="rules">
      {rules.map((rule) => (
        <li key={rule.name}>
          Rule <b>{rule.name}</b> {ruleText(rule)}
        </li>
      ))}
    </ul>
  );
}

function Details({ receipt }: { readonly receipt: ReceiptAnswer }) {
  const { inputs, twin } = receipt;
  const { latency } = inputs;
  const facts: readonly (readonly [name: string, value: unknown])[] = [
    ['registration id', inputs.registrationId],
    ['hub before', inputs.currentHub],
    [
      'enrollment',
      `${inputs.enrollment.kind}${inputs.enrollment.id === undefined ? '' : ` ${inputs.enrollment.id}`}`,
    ],
    ['reprovisioning', inputs.enrollment.reprovisionPolicy],
    ['attestation', inputs.attestation],
    ['linked hubs', inputs.linkedHubs],
    ['latency', latency],
    ...Object.entries(inputs.read),
    ...Object.entries(inputs.notKept).map(([path, { why }]) => [path, `not kept: ${why}`] as const),
  ];
  const provenance = Object.entries(twin.provenance);
  return (
    <>
      <p class="mono">{decisionText(receipt)}</p>
      <p>{conditionsText(receipt)}</p>
      <dl class="facts">
        {facts
          .filter(([, value]) => value !== undefined)
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{typeof value === 'string' ? value : <Value value={value} />}</dd>
            </div>
          ))}
      </dl>
      {twin.sent && provenance.length > 0 && (
        <>
          <h3>Initial twin, by the layer that set it</h3>
          <dl class="facts">
            {provenance.map(([path, layer]) => (
              <div key={path}>
                <dt>
                  <code>{path}</code>
                </dt>
                <dd>{layer}</dd>
              </div>
            ))}
          </dl>
        </>
      )}
      {receiptNotes(receipt).map((note) => (
        <p key={note}>{note}</p>
      ))}
    </>
  );
}
