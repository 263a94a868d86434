/** A search field that reports what was typed after a short rest; `/` focuses it. */
import { Kbd, TextInput, type TextInputProps } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useState } from "react";

interface SearchFieldProps extends Omit<TextInputProps, "value" | "onChange"> {
  value: string;
  onSearch: (text: string) => void;
  /** For a list that is here whole: it narrows as one types, so that no row moves later under a click. */
  atOnce?: boolean;
}

const REST_MS = 250;

export function SearchField({ value, onSearch, atOnce = false, ...others }: SearchFieldProps) {
  const [typed, setTyped] = useState(value);
  const [seen, setSeen] = useState(value);
  // What was reported and is not in the address yet: until it is, the field knows better.
  const [reported, setReported] = useState<string>();
  if (value !== seen) {
    setSeen(value);
    if (value === reported) setReported(undefined);
    // The address changed by other means (back, a cleared filter): follow it.
    else if (reported === undefined) setTyped(value);
  }
  const report = (text: string): void => {
    setReported(text === value ? undefined : text);
    onSearch(text);
  };
  const reportLater = useDebouncedCallback(report, REST_MS);
  return (
    <TextInput
      type="search"
      leftSection={<IconSearch size={16} />}
      rightSection={<Kbd size="xs">/</Kbd>}
      value={typed}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        (atOnce ? report : reportLater)(event.currentTarget.value.trim());
      }}
      {...others}
    />
  );
}
