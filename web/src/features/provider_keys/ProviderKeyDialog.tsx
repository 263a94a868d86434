/** Add an own key for a type of provider, or replace one; it is proven before it is kept. */
import { Anchor, Button, Group, Modal, PasswordInput, Select, Stack, Text, Textarea } from "@mantine/core";
import { useForm } from "@mantine/form";
import { IconBolt, IconExternalLink } from "@tabler/icons-react";
import { type ChangeEvent, type CSSProperties, type ReactNode, useState } from "react";

import { asApiError } from "@/api/request";
import type { OwnKeyType, ProviderKey } from "@/api/types";
import { TestResultAlert } from "@/features/providers/TestResultAlert";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { usePutProviderKey, useTestProviderKey } from "./queries";

interface ProviderKeyDialogProps {
  /** The key to replace, or "new"; null while closed. */
  editing: ProviderKey | "new" | null;
  types: OwnKeyType[];
  taken: string[];
  onClose: () => void;
}

export function ProviderKeyDialog({ editing, types, taken, onClose }: ProviderKeyDialogProps) {
  return (
    <Modal
      opened={editing !== null}
      onClose={onClose}
      title={editing === "new" ? "Add Provider Key" : editing && `Replace your ${editing.type_name} key`}
      closeOnClickOutside={false}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {editing && (
        <ProviderKeyForm
          replacing={editing === "new" ? null : editing}
          types={editing === "new" ? types.filter((one) => !taken.includes(one.type)) : types}
          onClose={onClose}
        />
      )}
    </Modal>
  );
}

interface FormProps {
  replacing: ProviderKey | null;
  types: OwnKeyType[];
  onClose: () => void;
}

function ProviderKeyForm({ replacing, types, onClose }: FormProps) {
  const [type, setType] = useState(replacing?.type ?? types[0]?.type ?? "");
  const chosen = types.find((one) => one.type === type);
  const put = usePutProviderKey(type);
  const test = useTestProviderKey(type);
  const form = useForm({
    initialValues: { api_key: "" },
    validate: { api_key: (value) => (value.trim() ? null : "Paste your key") },
  });
  const failure = put.isError ? asApiError(put.error) : null;
  const save = (force: boolean): void => {
    if (put.isPending) return;
    put.mutate({ api_key: form.values.api_key, ...(force && { force }) }, { onSuccess: onClose });
  };
  const submit = form.onSubmit(() => save(false));
  const changed = (): void => {
    put.reset();
    test.reset();
  };
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        {!replacing && (
          <Select
            label="Provider Type"
            searchable
            allowDeselect={false}
            data={types.map((one) => ({ value: one.type, label: one.name }))}
            value={type}
            description={chosen?.description}
            inputWrapperOrder={["label", "input", "description", "error"]}
            onChange={(value) => {
              if (value) setType(value);
              changed();
            }}
          />
        )}
        <KeyField
          type={chosen}
          focused={replacing !== null}
          {...form.getInputProps("api_key")}
          onChange={(key) => {
            form.setFieldValue("api_key", key);
            changed();
          }}
        />
        {chosen && (
          <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
            Sent to nobody but {chosen.used_at.join(", ")}. Stored encrypted and never shown again; administrators see
            that you have a key, and nothing of it. {chosen.name} bills you for what runs on it.
          </Text>
        )}
        <TestResultAlert
          result={test.data ?? null}
          error={test.isError ? asApiError(test.error) : null}
          onDismiss={() => test.reset()}
        />
        {failure && <ProblemAlert error={failure} title="The key was not saved" />}
        <Group justify="space-between" gap="sm">
          <BusyButton
            type="button"
            variant="light"
            color="green"
            leftSection={<IconBolt size={16} />}
            busy={test.isPending}
            onClick={() => {
              if (!form.validate().hasErrors) test.mutate(form.values.api_key);
            }}
          >
            Test Key
          </BusyButton>
          <Group gap="sm" ml="auto">
            <Button variant="default" type="button" onClick={onClose}>
              Cancel
            </Button>
            {failure?.param === "api_key" && failure.hint?.includes("force") ? (
              <BusyButton type="button" color="red" busy={put.isPending} onClick={() => save(true)}>
                Save Anyway
              </BusyButton>
            ) : (
              <BusyButton type="submit" busy={put.isPending}>
                Save Key
              </BusyButton>
            )}
          </Group>
        </Group>
      </Stack>
    </form>
  );
}

interface KeyFieldProps {
  type: OwnKeyType | undefined;
  focused: boolean;
  value?: string;
  error?: ReactNode;
  onChange: (key: string) => void;
}

/** Masked either way; a key that may be a whole file gets lines, which a password field would drop. */
function KeyField({ type, focused, value, error, onChange }: KeyFieldProps) {
  const shared = {
    label: "API Key",
    autoComplete: "off",
    "data-1p-ignore": true,
    "data-autofocus": focused ? true : undefined,
    inputWrapperOrder: ["label", "input", "description", "error"] as ("label" | "input" | "description" | "error")[],
    value,
    error,
    onChange: (event: ChangeEvent<HTMLInputElement | HTMLTextAreaElement>) => onChange(event.currentTarget.value),
    description: (
      <>
        {type?.key_help && `${type.key_help} `}
        {type?.get_key_url && (
          <Anchor href={type.get_key_url} target="_blank" rel="noreferrer" size="xs">
            Get a key from {type.name}{" "}
            <IconExternalLink size={12} aria-label="(opens in a new tab)" style={{ verticalAlign: "-1px" }} />
          </Anchor>
        )}
      </>
    ),
  };
  if (type?.key_is_a_file) {
    return (
      <Textarea
        {...shared}
        placeholder="Paste the whole file, or a key"
        autosize
        minRows={3}
        maxRows={8}
        spellCheck={false}
        styles={{ input: { WebkitTextSecurity: "disc", fontFamily: "monospace" } as CSSProperties }}
      />
    );
  }
  return (
    <PasswordInput
      {...shared}
      placeholder={type?.key_prefix ? `${type.key_prefix}…` : "Paste your key"}
      visibilityToggleButtonProps={{ "aria-label": "Reveal or hide what is typed", tabIndex: 0 }}
    />
  );
}
