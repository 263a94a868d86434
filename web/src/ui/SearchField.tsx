/** A search field that reports what was typed after a short rest; `/` focuses it. */
import { Kbd, TextInput, type TextInputProps } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";

import { useTyped } from "./useTyped";

interface SearchFieldProps extends Omit<TextInputProps, "value" | "onChange"> {
  value: string;
  onSearch: (text: string) => void;
  /** For a list that is here whole: it narrows as one types, so that no row moves later under a click. */
  atOnce?: boolean;
}

const REST_MS = 250;

export function SearchField({ value, onSearch, atOnce = false, ...others }: SearchFieldProps) {
  const [typed, type] = useTyped(value, onSearch, atOnce ? 0 : REST_MS);
  return (
    <TextInput
      type="search"
      leftSection={<IconSearch size={16} />}
      rightSection={<Kbd size="xs">/</Kbd>}
      value={typed}
      onChange={(event) => type(event.currentTarget.value)}
      {...others}
    />
  );
}
