/** A search field that reports what was typed after a short rest; `/` focuses it. */
import { Kbd, TextInput, type TextInputProps } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useState } from "react";

interface SearchFieldProps extends Omit<TextInputProps, "value" | "onChange"> {
  value: string;
  onSearch: (text: string) => void;
}

const REST_MS = 250;

export function SearchField({ value, onSearch, ...others }: SearchFieldProps) {
  const [typed, setTyped] = useState(value);
  const [known, setKnown] = useState(value);
  // The address changed by other means (back, a cleared filter): follow it.
  if (value !== known) {
    setKnown(value);
    setTyped(value);
  }
  const report = useDebouncedCallback((text: string) => {
    setKnown(text);
    onSearch(text);
  }, REST_MS);
  return (
    <TextInput
      type="search"
      leftSection={<IconSearch size={16} />}
      rightSection={<Kbd size="xs">/</Kbd>}
      value={typed}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        report(event.currentTarget.value.trim());
      }}
      {...others}
    />
  );
}
