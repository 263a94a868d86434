/** A budget set or changed; whose it is is fixed once it is set. */
import { Button, Group, Modal, NumberInput, Radio, Select, Stack, TagsInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useQuery } from "@tanstack/react-query";

import { asApiError } from "@/api/request";
import type { Budget, BudgetInput } from "@/api/types";
import { allApiKeysQuery } from "@/features/api_keys/queries";
import { providersQuery } from "@/features/providers/queries";
import { teamsQuery } from "@/features/teams/queries";
import { usersQuery } from "@/features/users/queries";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { useSaveBudget } from "./queries";
import { PERIODS, SCOPES } from "./words";

interface BudgetDialogProps {
  editing: Budget | "new" | null;
  onClose: () => void;
}

export function BudgetDialog({ editing, onClose }: BudgetDialogProps) {
  const budget = editing === "new" ? null : editing;
  return (
    <Modal
      opened={editing !== null}
      onClose={onClose}
      title={budget ? `Budget of ${budget.subject_name}` : "Add Budget"}
      size={480}
      closeOnClickOutside={false}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {editing !== null && <BudgetForm key={budget?.id ?? "new"} budget={budget} onClose={onClose} />}
    </Modal>
  );
}

function BudgetForm({ budget, onClose }: { budget: Budget | null; onClose: () => void }) {
  const save = useSaveBudget(budget);
  const form = useForm({
    initialValues: {
      scope: budget?.scope ?? ("everything" as Budget["scope"]),
      subject_id: budget?.subject_id ?? (null as string | null),
      amount_usd: (budget?.amount_usd ?? "") as number | string,
      period: budget?.period ?? ("month" as Budget["period"]),
      hard: (budget?.hard ?? true) ? "hard" : "soft",
      warn_at: (budget?.warn_at ?? [50, 80, 100]).map(String),
    },
    validate: {
      subject_id: (value, values) => (values.scope === "everything" || value ? null : "Say whose budget this is"),
      warn_at: (values) => (values.every((each) => /^([1-9]\d?|100)$/.test(each)) ? null : "Whole numbers from 1 to 100"),
      amount_usd: (value) => (value === "" ? "Enter an amount" : null),
    },
  });
  const { scope } = form.values;
  const providers = useQuery({ ...providersQuery, enabled: budget === null && scope === "provider" });
  const teams = useQuery({ ...teamsQuery, enabled: budget === null && scope === "team" });
  const users = useQuery({ ...usersQuery, enabled: budget === null && scope === "user" });
  const keys = useQuery({ ...allApiKeysQuery, enabled: budget === null && scope === "api_key" });
  const subjects = {
    everything: [],
    provider: (providers.data ?? []).map(({ id, name }) => ({ value: id, label: name })),
    team: (teams.data?.teams ?? []).map(({ id, name }) => ({ value: id, label: name })),
    user: (users.data ?? []).map(({ id, email }) => ({ value: id, label: email })),
    api_key: (keys.data ?? [])
      .filter((key) => key.revoked_at === null)
      .map((key) => ({ value: key.id, label: `${key.name} (${key.team_name ?? key.user_email})` })),
  }[scope];
  const submit = form.onSubmit((values) => {
    if (save.isPending) return;
    const input: BudgetInput = {
      scope: values.scope,
      ...(values.scope !== "everything" && { subject_id: values.subject_id }),
      amount_usd: Number(values.amount_usd),
      period: values.period,
      hard: values.hard === "hard",
      warn_at: values.warn_at.map(Number),
    };
    save.mutate(input, {
      onSuccess: onClose,
      onError: (error) => {
        const { param, message } = asApiError(error);
        if (param && param in values) form.setFieldError(param, message);
      },
    });
  });
  const failure = save.isError ? asApiError(save.error) : null;
  const shownInField = Boolean(failure?.param && Object.keys(form.errors).length > 0);
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        {budget === null && (
          <>
            <Select
              label="Of"
              allowDeselect={false}
              data={SCOPES}
              {...form.getInputProps("scope")}
              onChange={(value) => form.setValues({ scope: value as Budget["scope"], subject_id: null })}
            />
            {scope !== "everything" && (
              <Select
                label="Which one"
                searchable
                data={subjects}
                nothingFoundMessage="Nothing of that name"
                {...form.getInputProps("subject_id")}
              />
            )}
          </>
        )}
        <Group grow align="flex-start">
          <NumberInput label="Amount" prefix="$" min={0} data-autofocus {...form.getInputProps("amount_usd")} />
          <Select label="Per" allowDeselect={false} data={PERIODS} {...form.getInputProps("period")} />
        </Group>
        <Radio.Group label="When it is used up" {...form.getInputProps("hard")}>
          <Stack gap="xs" mt="xs">
            <Radio
              value="hard"
              label="Refuse requests"
              description="What a request may cost is held before it goes out, so the budget holds at any load."
            />
            <Radio value="soft" label="Warn only" description="Requests go on; the console says so." />
          </Stack>
        </Radio.Group>
        <TagsInput
          label="Tell people at"
          description="Per cent of the amount. None: nobody is told. By which way is under Settings, Notifications."
          maxTags={10}
          splitChars={[",", " "]}
          acceptValueOnBlur
          {...form.getInputProps("warn_at")}
        />
        {failure && !shownInField && <ProblemAlert error={failure} title="The budget was not saved" />}
        <Group justify="flex-end">
          <Button variant="default" type="button" onClick={onClose}>
            Cancel
          </Button>
          <BusyButton type="submit" busy={save.isPending}>
            {budget ? "Save" : "Add Budget"}
          </BusyButton>
        </Group>
      </Stack>
    </form>
  );
}
