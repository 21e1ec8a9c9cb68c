import { useId } from 'preact/hooks';

export interface SelectOption {
  readonly value: string;
  readonly label: string;
}

/** A filter that chooses one of some values, or none. */
export function SelectFilter({
  label,
  value,
  any,
  choices,
  onChange,
}: {
  readonly label: string;
  readonly value: string;
  /** What no choice is called. */
  readonly any: string;
  readonly choices: readonly SelectOption[];
  onChange(value: string): void;
}) {
  const id = useId();
  return (
    <div class="filter">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        <option value="">{any}</option>
        {choices.map((choice) => (
          <option key={choice.value} value={choice.value}>
            {choice.label}
          </option>
        ))}
      </select>
    </div>
  );
}

/** A filter by text. The key `/` goes to it. */
export function TextFilter({
  label,
  value,
  placeholder,
  onChange,
}: {
  readonly label: string;
  readonly value: string;
  readonly placeholder: string;
  onChange(value: string): void;
}) {
  const id = useId();
  return (
    <div class="filter">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="search"
        autocomplete="off"
        spellcheck={false}
        data-search="page"
        value={value}
        placeholder={placeholder}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
    </div>
  );
}
