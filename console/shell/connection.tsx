import { useId, useState } from 'preact/hooks';
import { useBerth, useConnection, useNow } from '../api/berth.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Notice } from '../parts/notice.tsx';
import { clockText, spanText } from '../words/format.ts';

/** Whether the API answers: a small light, with words. */
export function ConnectionLight() {
  const connection = useConnection();
  const now = useNow();
  switch (connection.kind) {
    case 'connected': {
      const age = Math.max(0, now - connection.at);
      return (
        <span class="light good">
          <span class="dot" />
          live, {age < 2_000 ? 'now' : `${spanText(age)} ago`}
        </span>
      );
    }
    case 'unreachable':
      return (
        <span class="light bad">
          <span class="dot hollow" />
          no answer
        </span>
      );
    case 'unauthorized':
    case 'signedOut':
      return (
        <span class="light warn">
          <span class="dot hollow" />
          locked
        </span>
      );
    case 'connecting':
      return (
        <span class="light">
          <span class="dot hollow" />
          connecting
        </span>
      );
  }
}

/** What keeps the page from being fresh, since when, and what to do. */
export function ConnectionNotice() {
  const { environment } = useBerth();
  const connection = useConnection();
  const now = useNow();
  if (connection.kind !== 'unreachable') return null;
  const { since, why } = connection;
  return (
    <div role="alert">
      <Notice
        tone="bad"
        title={`Berth does not answer since ${clockText(since, now)} (${spanText(now - since)}).`}
      >
        <p>The reason: {why}. The page shows what was known before, and asks again every 5 seconds.</p>
        <p>
          {environment.kind === 'local' ? (
            <>
              Is the local stack running? Start it with <code>npm start</code>. If it runs, its live view says
              which process is down.
            </>
          ) : (
            <>
              Check your network, and in the Azure portal whether the function app runs. Its state store must
              be reachable: <code>npx --no berth hubs</code> tells what fails.
            </>
          )}
        </p>
      </Notice>
    </div>
  );
}

/** Asks for the function key, or for a new sign-in. */
export function KeyGate() {
  const { key, poller } = useBerth();
  const connection = useConnection();
  const [text, setText] = useState('');
  const id = useId();
  if (connection.kind === 'signedOut') {
    return (
      <section class="gate" aria-labelledby={id}>
        <h1 id={id}>You are signed out</h1>
        <p>The authentication of the function app wants you to sign in again.</p>
        <button type="button" class="button primary" onClick={() => location.reload()}>
          Sign in
        </button>
      </section>
    );
  }
  const isWrong = key.read() !== undefined;
  return (
    <section class="gate" aria-labelledby={id}>
      <h1 id={id}>Function key</h1>
      <p>
        Berth answers only with a function key. It is sent as a header, kept until you close this tab, and
        never put into an address.
      </p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim() === '') return;
          key.keep(text);
          setText('');
          poller.reopen();
        }}
      >
        <div class="field">
          <label for={`${id}-key`}>Key</label>
          <input
            id={`${id}-key`}
            type="password"
            autocomplete="off"
            spellcheck={false}
            value={text}
            aria-describedby={`${id}-hint`}
            onInput={(event) => setText(event.currentTarget.value)}
          />
          <p class="note" id={`${id}-hint`} aria-live="polite">
            {isWrong
              ? 'Berth did not accept the key. Check that it is a key of this function app, then type it again.'
              : 'Azure portal: your function app, App keys. Or ask the person who deployed Berth.'}
          </p>
        </div>
        <button type="submit" class="button primary">
          Open
        </button>
      </form>
      <details class="details">
        <summary>Get a key with the Azure CLI</summary>
        <pre class="code-block">
          az functionapp keys list --resource-group GROUP --name APP --query functionKeys.default --output tsv
        </pre>
      </details>
    </section>
  );
}

/** Forgets the key that this tab has. */
export function LockButton() {
  const { environment, key, poller } = useBerth();
  if (environment.kind === 'local' || key.read() === undefined) return null;
  return (
    <button
      type="button"
      class="button small"
      onClick={() => {
        key.forget();
        poller.reopen();
      }}
    >
      Forget the key
    </button>
  );
}

/** What the keys do. */
export function HelpDialog({
  keys,
  onClose,
}: {
  readonly keys: readonly (readonly [keys: string, what: string])[];
  onClose(): void;
}) {
  return (
    <Dialog title="Keyboard and words" onClose={onClose}>
      <dl class="facts keys">
        {keys.map(([name, what]) => (
          <div key={name}>
            <dt>
              <kbd>{name}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p class="note">
        Words with a dotted line have an explanation: point at them, or give them the focus. All words are in
        docs/glossary.md.
      </p>
    </Dialog>
  );
}
