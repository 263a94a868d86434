/** Configure: settings, key, priority, on or off; sends only what was changed. */
import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useForm } from "@mantine/form";
import { IconBolt } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { asApiError } from "@/api/request";
import type { Provider } from "@/api/types";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import {
  changeInput,
  currentResult,
  fieldOf,
  fingerprint,
  testInput,
  validate,
  valuesOf,
  type ProviderValues,
  type Tested,
} from "./form";
import { ProviderFields } from "./ProviderFields";
import { providerTypesQuery, useChangeProvider, useTestInput } from "./queries";
import { TestResultAlert } from "./TestResultAlert";

interface ConfigureProviderDialogProps {
  /** The provider being edited; null closes the dialog. */
  provider: Provider | null;
  onClose: () => void;
}

export function ConfigureProviderDialog({ provider, onClose }: ConfigureProviderDialogProps) {
  return (
    <Modal
      opened={provider !== null}
      onClose={onClose}
      title={provider && `Configure ${provider.name}`}
      size={560}
      closeOnClickOutside={false}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {provider && <ConfigureForm key={provider.id} provider={provider} onClose={onClose} />}
    </Modal>
  );
}

function ConfigureForm({ provider, onClose }: { provider: Provider; onClose: () => void }) {
  // What was on screen when the dialog opened: polling must neither reset the form nor hide a change.
  const [opened] = useState(provider);
  const types = useQuery(providerTypesQuery);
  const change = useChangeProvider(provider.id);
  const test = useTestInput();
  const [tested, setTested] = useState<Tested | null>(null);
  const form = useForm<ProviderValues>({
    initialValues: valuesOf(opened),
    validate: (values) => ({
      ...validate(
        values,
        types.data?.find((one) => one.type === values.type),
        opened.credential_preview !== null,
      ),
      ...(values.name.trim() ? {} : { name: "A provider needs a name" }),
    }),
  });
  const showProblem = (error: Error): void => {
    const problem = asApiError(error);
    const field = fieldOf(problem);
    if (field) form.setFieldError(field, [problem.message, problem.hint].filter(Boolean).join(" "));
  };
  const runTest = (): void => {
    if (form.validate().hasErrors) return;
    const input = testInput(form.values, opened);
    setTested(null);
    test.mutate(input, {
      onSuccess: (result) => setTested({ input: fingerprint(input), result }),
      onError: showProblem,
    });
  };
  const submit = form.onSubmit((values) => {
    if (change.isPending) return;
    const body = changeInput(values, opened);
    if (Object.keys(body).length === 0) onClose();
    else change.mutate(body, { onSuccess: onClose, onError: showProblem });
  });
  const saveProblem = change.isError ? asApiError(change.error) : null;
  const testProblem = test.isError ? asApiError(test.error) : null;
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <ProviderFields
          form={form}
          types={types.data ?? []}
          saved={{ credentialPreview: opened.credential_preview }}
        />
        {test.isPending ? (
          <Text size="sm" c="dimmed" role="status">
            Testing the connection; this takes ten seconds at most…
          </Text>
        ) : (
          <TestResultAlert
            result={currentResult(tested, testInput(form.values, opened))}
            error={testProblem && !fieldOf(testProblem) ? testProblem : null}
          />
        )}
        {saveProblem && !fieldOf(saveProblem) && <ProblemAlert error={saveProblem} title="Nothing was saved" />}
        <Group justify="space-between" gap="sm">
          <BusyButton
            variant="light"
            color="green"
            type="button"
            leftSection={<IconBolt size={16} />}
            busy={test.isPending}
            onClick={runTest}
          >
            Test Connection
          </BusyButton>
          <Group gap="sm" ml="auto">
            <Button variant="default" type="button" onClick={onClose}>
              Cancel
            </Button>
            <BusyButton type="submit" busy={change.isPending}>
              Save Changes
            </BusyButton>
          </Group>
        </Group>
      </Stack>
    </form>
  );
}
