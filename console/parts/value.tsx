import { NOT_KNOWN, valueText } from '../words/format.ts';

/** A JSON value on one line; long ones open. */
export function Value({ value }: { readonly value: unknown }) {
  if (value === null || value === undefined) return <span class="muted">{NOT_KNOWN}</span>;
  const text = valueText(value, 40);
  const whole = JSON.stringify(value, undefined, 2) ?? '';
  if (!text.endsWith('…')) return <code class="value">{text}</code>;
  return (
    <details class="value-details">
      <summary>
        <code class="value">{text}</code>
      </summary>
      <pre>{whole}</pre>
    </details>
  );
}
