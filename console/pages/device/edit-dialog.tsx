import { useId, useState } from 'preact/hooks';
import { useBerth } from '../../api/berth.ts';
import type { OwnedProperty, TwinOfDevice } from '../../api/contract.ts';
import { Dialog } from '../../parts/dialog.tsx';
import { parsedJson, patchAt } from './edit.ts';

/** Local only: writes a desired property as the Azure portal does, so that the reader sees Berth correct it. */
export function EditDialog({
  deviceId,
  twin,
  property,
  onClose,
}: {
  readonly deviceId: string;
  readonly twin: TwinOfDevice;
  readonly property: OwnedProperty;
  onClose(): void;
}) {
  const { environment, client, poller } = useBerth();
  const [text, setText] = useState('1');
  const [said, setSaid] = useState<string | undefined>(undefined);
  const id = useId();
  const value = parsedJson(text);
  const write = async () => {
    if (environment.kind !== 'local' || value === undefined) return;
    const module = twin.moduleId === null ? '' : `/modules/${encodeURIComponent(twin.moduleId)}`;
    const answer = await client.send(
      'PATCH',
      `${environment.control}/hubs/${twin.hub}/devices/${encodeURIComponent(deviceId)}${module}?as=portal`,
      { properties: { desired: patchAt(property.path, value.json) } },
    );
    if (answer.kind === 'ok') {
      setSaid('Written. Watch the table: Berth puts the wanted value back within seconds.');
      poller.refresh();
    } else setSaid(answer.kind === 'refused' ? answer.problem.message : 'The local hub does not answer.');
  };
  return (
    <Dialog title={`Edit ${property.path} as the portal does`} onClose={onClose}>
      <p class="dialog-text">
        The policy {property.policy} wants <code>{JSON.stringify(property.wanted)}</code>. Write another
        value, as a person in the Azure portal would. Berth corrects it with one write.
      </p>
      <div class="field">
        <label for={id}>Desired value, as JSON</label>
        <input
          id={id}
          type="text"
          autocomplete="off"
          spellcheck={false}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </div>
      {value === undefined && (
        <p class="note">This is not JSON. Write a number, true, or "a text" in quotes.</p>
      )}
      <div class="dialog-actions">
        <button
          type="button"
          class="button primary"
          disabled={value === undefined}
          onClick={() => void write()}
          data-run
        >
          Write
        </button>
      </div>
      <p aria-live="polite" class="note">
        {said}
      </p>
    </Dialog>
  );
}
