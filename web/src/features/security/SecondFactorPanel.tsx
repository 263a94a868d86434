/** One's second factor: set up, recovery codes renewed, removed. */
import { Badge, Button, Group, Loader, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { asApiError } from "@/api/request";
import { absoluteTime, plural } from "@/format/format";
import { BusyButton } from "@/ui/BusyButton";
import { Panel } from "@/ui/Panel";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { secondFactorQuery, useProveSecondFactor } from "./queries";
import { RecoveryCodes } from "./RecoveryCodes";
import { SecondFactorSetup } from "./SecondFactorSetup";

type Doing = "set up" | "renew" | "remove";

const TITLES: Record<Doing, string> = {
  "set up": "Set Up a Second Factor",
  renew: "New Recovery Codes",
  remove: "Remove the Second Factor",
};

export function SecondFactorPanel() {
  const factor = useQuery(secondFactorQuery);
  const [doing, setDoing] = useState<Doing | null>(null);
  const close = () => setDoing(null);
  return (
    <Panel
      title="Second Factor"
      description="A code of an authenticator app beside the password."
      controls={factor.data?.enabled && <Badge color="green">On</Badge>}
    >
      {factor.isError && !factor.data && (
        <ProblemAlert
          error={asApiError(factor.error)}
          title="It could not be loaded"
          onRetry={() => void factor.refetch()}
        />
      )}
      {factor.isPending && <Loader size="sm" aria-label="Loading" />}
      {factor.data && !factor.data.enabled && (
        <Button variant="default" onClick={() => setDoing("set up")}>
          Set Up
        </Button>
      )}
      {factor.data?.enabled && (
        <Stack gap="md">
          <Text size="sm">
            Since {absoluteTime(factor.data.since)};{" "}
            {plural(factor.data.recovery_codes_left, "recovery code")} left.
            {factor.data.required && " Your role must have it."}
          </Text>
          <Group gap="xs">
            <Button variant="default" onClick={() => setDoing("renew")}>
              New Recovery Codes
            </Button>
            {!factor.data.required && (
              <Button variant="default" onClick={() => setDoing("remove")}>
                Remove
              </Button>
            )}
          </Group>
        </Stack>
      )}
      <Modal
        opened={doing !== null}
        onClose={close}
        title={doing && TITLES[doing]}
        closeOnClickOutside={false}
        closeButtonProps={{ "aria-label": "Close" }}
      >
        {doing === "set up" && <SecondFactorSetup onDone={close} />}
        {(doing === "renew" || doing === "remove") && <Prove what={doing} onDone={close} />}
      </Modal>
    </Panel>
  );
}

function Prove({ what, onDone }: { what: "renew" | "remove"; onDone: () => void }) {
  const prove = useProveSecondFactor(what);
  const [code, setCode] = useState("");
  if (what === "renew" && prove.data) return <RecoveryCodes codes={prove.data} onDone={onDone} />;
  const failure = prove.isError ? asApiError(prove.error) : null;
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (prove.isPending || !code.trim()) return;
        prove.mutate(code, { onSuccess: what === "remove" ? onDone : undefined });
      }}
    >
      <Stack gap="md">
        <Text size="sm">
          {what === "renew"
            ? "Ten new codes; the old ones end."
            : "You then sign in by password alone, and your recovery codes end."}
        </Text>
        <TextInput
          label="Code"
          description="The six digits of your app, or a recovery code."
          autoComplete="one-time-code"
          value={code}
          onChange={(event) => setCode(event.currentTarget.value)}
          error={failure?.param === "code" ? failure.message : null}
          data-autofocus
        />
        {failure && failure.param !== "code" && <ProblemAlert error={failure} title="Nothing was changed" />}
        <Group justify="flex-end">
          <BusyButton type="submit" color={what === "remove" ? "red" : undefined} busy={prove.isPending}>
            {what === "renew" ? "Make New Codes" : "Remove"}
          </BusyButton>
        </Group>
      </Stack>
    </form>
  );
}
