import { useId, useState } from 'preact/hooks';
import { useBerth } from '../api/berth.ts';
import { Choice } from '../parts/choice.tsx';
import { Dialog } from '../parts/dialog.tsx';
import type { Argv } from './argv.ts';
import { argvOf } from './berth-commands.ts';
import {
  type ChangeFields,
  type ChangeKind,
  changeWords,
  EMPTY_FIELDS,
  filledChange,
} from './change-form.ts';
import { CommandLine } from './command-line.tsx';
import { type CommandOutput, runCommand } from './run-command.ts';

/**
 * Asks for what a change needs. Locally a button makes it; in Azure the reader copies the command, so that every change
 * has its author.
 */
export function ChangeDialog({
  choices,
  onClose,
}: {
  readonly choices: readonly ChangeKind[];
  onClose(): void;
}) {
  const { environment } = useBerth();
  const [index, setIndex] = useState(0);
  const [fields, setFields] = useState<ChangeFields>(EMPTY_FIELDS);
  const chosen = choices[index] ?? choices[0];
  if (chosen === undefined) return null;
  const words = changeWords(chosen);
  const result = filledChange(chosen, fields);
  const set = (field: keyof ChangeFields, value: string) => setFields({ ...fields, [field]: value });
  return (
    <Dialog title={words.title} onClose={onClose}>
      {choices.length > 1 && (
        <Choice
          label="Change"
          values={choices.map((each, at) => ({ value: String(at), label: changeWords(each).button }))}
          chosen={String(choices.indexOf(chosen))}
          onChange={(value) => setIndex(Number(value))}
        />
      )}
      <p class="dialog-text">{words.effect}</p>
      {words.fields.map((field) => (
        <Field key={field} field={field} value={fields[field]} onChange={(value) => set(field, value)} />
      ))}
      {'missing' in result ? (
        <p class="note" aria-live="polite">
          {result.missing}
        </p>
      ) : environment.kind === 'local' ? (
        <RunLocally key={index} argv={argvOf(result.change)} label={words.button} />
      ) : (
        <>
          <p class="note">Run this command in the folder of your fleet file. It signs in as you.</p>
          <CommandLine argv={argvOf(result.change)} />
        </>
      )}
    </Dialog>
  );
}

const LABELS: Readonly<Record<keyof ChangeFields, { readonly label: string; readonly hint: string }>> = {
  reason: { label: 'Reason', hint: 'Others read it next to the change.' },
  state: {
    label: 'State',
    hint: 'Cordoned: no new devices. Draining: devices move when they register again.',
  },
  weight: { label: 'Weight', hint: 'The share of new devices, compared with the other hubs.' },
  expires: { label: 'Expires in', hint: 'A duration: 30m, 8h, 7d.' },
};

function Field({
  field,
  value,
  onChange,
}: {
  readonly field: keyof ChangeFields;
  readonly value: string;
  onChange(value: string): void;
}) {
  const id = useId();
  const { label, hint } = LABELS[field];
  const shared = { id, value, 'aria-describedby': `${id}-hint`, name: field };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {field === 'state' ? (
        <select {...shared} onChange={(event) => onChange(event.currentTarget.value)}>
          <option value="">as it is</option>
          <option value="active">active</option>
          <option value="cordoned">cordoned</option>
          <option value="draining">draining</option>
        </select>
      ) : (
        <input
          {...shared}
          type="text"
          autocomplete="off"
          inputMode={field === 'weight' ? 'decimal' : 'text'}
          onInput={(event) => onChange(event.currentTarget.value)}
        />
      )}
      <p class="note" id={`${id}-hint`}>
        {hint}
      </p>
    </div>
  );
}

function RunLocally({ argv, label }: { readonly argv: Argv; readonly label: string }) {
  const berth = useBerth();
  const [isRunning, setIsRunning] = useState(false);
  const [result, setResult] = useState<CommandOutput | undefined>(undefined);
  const run = async () => {
    setIsRunning(true);
    setResult(await runCommand(berth, argv));
    setIsRunning(false);
    berth.poller.refresh();
  };
  return (
    <>
      <div class="dialog-actions">
        <button type="button" class="button primary" disabled={isRunning} onClick={() => void run()} data-run>
          {isRunning ? 'Running …' : label}
        </button>
      </div>
      <div aria-live="polite">
        {result !== undefined && (
          <div class={result.isSuccess ? 'result good' : 'result bad'}>
            <b>{result.isSuccess ? 'Done' : 'Not done'}</b>
            <pre>{result.text}</pre>
          </div>
        )}
      </div>
      <details class="details">
        <summary>The same as a command</summary>
        <CommandLine argv={argv} />
      </details>
    </>
  );
}
