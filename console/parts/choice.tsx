/** A few values of which one is in force, as buttons next to each other. */
export function Choice<Value extends string>({
  label,
  values,
  chosen,
  onChange,
}: {
  readonly label: string;
  readonly values: readonly { readonly value: Value; readonly label: string }[];
  readonly chosen: Value;
  onChange(value: Value): void;
}) {
  return (
    <fieldset class="choice">
      <legend class="visually-hidden">{label}</legend>
      {values.map((each) => (
        <button
          key={each.value}
          type="button"
          aria-pressed={chosen === each.value}
          onClick={() => onChange(each.value)}
        >
          {each.label}
        </button>
      ))}
    </fieldset>
  );
}
