import { useState } from 'preact/hooks';
import { deviceHref } from '../../address/route.ts';
import { useApi } from '../../api/berth.ts';
import type { DeadLetterAnswer, DeadLetterList } from '../../api/contract.ts';
import { ChangeButton } from '../../commands/change-layer.tsx';
import { Answered, AnsweredTable } from '../../parts/answered.tsx';
import type { TableColumn } from '../../parts/data-table.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { Empty, PageHead, Section } from '../../parts/section.tsx';
import { Term } from '../../parts/term.tsx';
import { Ago } from '../../parts/time.tsx';
import { countedText, countText } from '../../words/format.ts';

type Letter = DeadLetterList['letters'][number];

/** Events that Berth could not read, with the reason. They can be replayed after the cause is gone. */
export function DeadLettersPage() {
  const answer = useApi<DeadLetterList>('dead-letters');
  const { body } = answer;
  const [shown, setShown] = useState<string | undefined>(undefined);
  const columns: readonly TableColumn<Letter>[] = [
    ...COLUMNS,
    {
      title: 'Actions',
      hideTitle: true,
      cell: ({ id }) => (
        <div class="row-actions">
          <button
            type="button"
            class="button small"
            aria-label={`Show dead letter ${id}`}
            onClick={() => setShown(id)}
          >
            Show
          </button>
          <ChangeButton choices={[{ kind: 'replay', ids: [id] }]} label={`Replay dead letter ${id}`}>
            Replay …
          </ChangeButton>
          <ChangeButton choices={[{ kind: 'purge', ids: [id] }]} label={`Delete dead letter ${id}`}>
            Delete …
          </ChangeButton>
        </div>
      ),
    },
  ];
  const letters = body?.letters ?? [];
  return (
    <>
      <PageHead
        title="Dead letters"
        lead="Events of the last seven days that Berth could not read. They are kept for 30 days."
        aside={
          letters.length > 0 && (
            <ChangeButton choices={[{ kind: 'replay', ids: 'all' }]} isPrimary>
              Replay all …
            </ChangeButton>
          )
        }
      />
      <Section title="Events" flush>
        <AnsweredTable
          answer={answer}
          what="the dead letters"
          rowsOf={(list) => list.letters}
          empty={<Empty title="No dead letters.">Every event of the last seven days could be read.</Empty>}
          label="Dead letters"
          columns={columns}
          keyOf={({ id }) => id}
        />
        {body !== undefined && body.more + body.onlyCounted > 0 && (
          <p class="section-foot muted">
            {body.more > 0 &&
              `${body.isCounted ? '' : 'At least '}${countedText(body.more, 'older one')} not shown. `}
            {body.onlyCounted > 0 && `${countText(body.onlyCounted)} more were only counted.`}
          </p>
        )}
      </Section>
      {shown !== undefined && <LetterDialog id={shown} onClose={() => setShown(undefined)} />}
    </>
  );
}

const COLUMNS: readonly TableColumn<Letter>[] = [
  {
    title: 'Arrived',
    explain: 'When the Event Hub took the event.',
    cell: ({ enqueuedAt }) => <Ago at={enqueuedAt} />,
  },
  {
    title: 'From',
    explain: 'The hub and the device that the event names.',
    cell: ({ hub, deviceId, moduleId }) => (
      <div class="stacked">
        {deviceId === null ? (
          <span class="muted">no device</span>
        ) : (
          <a data-row-link href={deviceHref(deviceId)}>
            {deviceId}
            {moduleId === null ? '' : `/${moduleId}`}
          </a>
        )}
        <span class="muted">{hub ?? 'no hub'}</span>
      </div>
    ),
  },
  {
    title: 'Why',
    isWide: true,
    cell: ({ code, reason }) => (
      <div class="stacked">
        <span>The event {reason}</span>
        <code class="muted">{code}</code>
      </div>
    ),
  },
];

function LetterDialog({ id, onClose }: { readonly id: string; onClose(): void }) {
  const answer = useApi<DeadLetterAnswer>(`dead-letters/${id}`);
  return (
    <Dialog title="Dead letter" onClose={onClose}>
      <p class="mono muted">{id}</p>
      <Answered answer={answer} what="its contents">
        {(letter) => (
          <>
            <p class="dialog-text">
              The event {letter.reason}. <code>{letter.code}</code>
            </p>
            <h3>
              <Term explain="Values under twins.redact were replaced before the event was stored.">Body</Term>
              , {countText(letter.body.bytes)} bytes
              {letter.cut.includes('body') && ', the beginning only'}
            </h3>
            <pre class="code-block">{letter.body.text ?? `${letter.body.base64 ?? ''} (base64)`}</pre>
            <h3>Properties</h3>
            <pre class="code-block">
              {JSON.stringify({ ...letter.properties, ...letter.systemProperties }, undefined, 2)}
            </pre>
          </>
        )}
      </Answered>
    </Dialog>
  );
}
