/** Add Provider: fill, test, save. It never closes with an error and never loses what was typed. */
import { Button, Group, Modal, Skeleton, Stack, Text } from "@mantine/core";
import { useForm } from "@mantine/form";
import { IconBolt, IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";

import { asApiError } from "@/api/request";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import {
  addInput,
  currentResult,
  fieldOf,
  fingerprint,
  NEW_PROVIDER,
  testInput,
  validate,
  type ProviderValues,
  type Tested,
} from "./form";
import { ProviderFields } from "./ProviderFields";
import { providerTypesQuery, useAddProvider, useTestInput } from "./queries";
import { TestResultAlert } from "./TestResultAlert";

interface AddProviderDialogProps {
  opened: boolean;
  onClose: () => void;
}

export function AddProviderDialog({ opened, onClose }: AddProviderDialogProps) {
  // Esc and the cross may be a slip, so they keep what was typed; Cancel and success do not.
  const [draft, setDraft] = useState<ProviderValues | null>(null);
  const done = (): void => {
    setDraft(null);
    onClose();
  };
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title="Add Provider"
      size={560}
      closeOnClickOutside={false}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <AddProviderForm draft={draft} onDraft={setDraft} onDone={done} />
    </Modal>
  );
}

interface AddProviderFormProps {
  draft: ProviderValues | null;
  onDraft: (values: ProviderValues) => void;
  onDone: () => void;
}

function AddProviderForm({ draft, onDraft, onDone }: AddProviderFormProps) {
  const types = useQuery(providerTypesQuery);
  const add = useAddProvider();
  const test = useTestInput();
  const [tested, setTested] = useState<Tested | null>(null);
  const addAnyway = useId();
  const form = useForm<ProviderValues>({
    initialValues: draft ?? NEW_PROVIDER,
    validate: (values) => validate(values, types.data?.find((one) => one.type === values.type), false),
    onValuesChange: (values) => {
      onDraft(values);
      if (add.isError) add.reset();
    },
  });

  const result = currentResult(tested, testInput(form.values));
  const failedTest = result?.success === false;

  const runTest = (): void => {
    if (form.validate().hasErrors) return;
    const input = testInput(form.values);
    setTested(null);
    test.mutate(input, {
      onSuccess: (answer) => setTested({ input: fingerprint(input), result: answer }),
      onError: (error) => showProblem(error),
    });
  };

  const showProblem = (error: Error): void => {
    const problem = asApiError(error);
    const field = fieldOf(problem);
    if (field) form.setFieldError(field, [problem.message, problem.hint].filter(Boolean).join(" "));
  };

  const save = (values: ProviderValues): void => {
    if (add.isPending) return;
    add.mutate(addInput(values), { onSuccess: onDone, onError: showProblem });
  };

  const submit = form.onSubmit((values) => {
    // A failed test is not passed over by an Enter: it takes the explicit button.
    if (failedTest) document.getElementById(addAnyway)?.focus();
    else save(values);
  });

  if (types.isPending) return <Skeleton height={360} />;
  if (types.isError && !types.data) {
    return (
      <ProblemAlert
        error={asApiError(types.error)}
        title="The provider types could not be loaded"
        onRetry={() => void types.refetch()}
      />
    );
  }

  const chosen = types.data.find((one) => one.type === form.values.type);
  const saveProblem = add.isError ? asApiError(add.error) : null;
  const testProblem = test.isError ? asApiError(test.error) : null;
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <ProviderFields form={form} types={types.data} />
        {test.isPending && (
          <Text size="sm" c="dimmed" role="status">
            {chosen?.takes_base_url === false
              ? "Testing the connection; the first test starts LiteLLM, which may take a minute…"
              : "Testing the connection; this takes ten seconds at most…"}
          </Text>
        )}
        {!test.isPending && (
          <TestResultAlert result={result} error={testProblem && !fieldOf(testProblem) ? testProblem : null} />
        )}
        {failedTest && (
          <Text size="sm" c="dimmed">
            Correct what is wrong and test again, or add it anyway: it will get traffic and fail until it works.
          </Text>
        )}
        {saveProblem && !fieldOf(saveProblem) && (
          <ProblemAlert error={saveProblem} title="The provider was not added" />
        )}
        <Group justify="space-between" gap="sm">
          <BusyButton
            variant="light"
            color="green"
            leftSection={<IconBolt size={16} />}
            busy={test.isPending}
            onClick={runTest}
            type="button"
            disabled={Boolean(chosen?.missing)}
          >
            Test Connection
          </BusyButton>
          <Group gap="sm" ml="auto">
            <Button variant="default" type="button" onClick={onDone}>
              Cancel
            </Button>
            {failedTest && (
              <BusyButton
                id={addAnyway}
                variant="light"
                color="red"
                type="button"
                busy={add.isPending}
                onClick={() => {
                  if (!form.validate().hasErrors) save(form.values);
                }}
              >
                Add Anyway
              </BusyButton>
            )}
            <BusyButton
              type="submit"
              leftSection={<IconPlus size={16} />}
              busy={add.isPending && !failedTest}
              disabled={Boolean(chosen?.missing)}
            >
              Add Provider
            </BusyButton>
          </Group>
        </Group>
      </Stack>
    </form>
  );
}
