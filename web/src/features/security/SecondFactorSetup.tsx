/** Setting up a second factor: scan, prove, keep the recovery codes. */
import { Code, Image, Loader, Stack, Text, TextInput } from "@mantine/core";
import { useEffect, useRef, useState } from "react";

import { asApiError } from "@/api/request";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { useBeginSecondFactor, useProveSecondFactor } from "./queries";
import { RecoveryCodes } from "./RecoveryCodes";

export function SecondFactorSetup({ onDone }: { onDone: () => void }) {
  const { mutate: start, ...begin } = useBeginSecondFactor();
  const confirm = useProveSecondFactor("confirm");
  const [code, setCode] = useState("");
  const started = useRef(false);
  useEffect(() => {
    if (started.current) return;
    started.current = true;
    start();
  }, [start]);
  if (confirm.data) return <RecoveryCodes codes={confirm.data} onDone={onDone} />;
  if (begin.isError) {
    return (
      <ProblemAlert error={asApiError(begin.error)} title="The set-up could not begin" onRetry={() => start()} />
    );
  }
  if (!begin.data) return <Loader size="sm" aria-label="Loading" />;
  const failure = confirm.isError ? asApiError(confirm.error) : null;
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (!confirm.isPending && code.trim()) confirm.mutate(code);
      }}
    >
      <Stack gap="md">
        <Text size="sm">Scan this with an authenticator app, then type the six digits that it shows.</Text>
        <Image
          src={`data:image/svg+xml,${encodeURIComponent(begin.data.qr_svg)}`}
          alt="QR code of the new secret"
          w={200}
          mx="auto"
          radius="sm"
        />
        <Text size="sm" c="dimmed">
          No camera? Type this secret into the app:
        </Text>
        <Code block fz="sm" data-testid="totp-secret" style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
          {begin.data.secret}
        </Code>
        <TextInput
          label="Code"
          inputMode="numeric"
          autoComplete="one-time-code"
          value={code}
          onChange={(event) => setCode(event.currentTarget.value)}
          error={failure?.param === "code" ? failure.message : null}
          data-autofocus
        />
        {failure && failure.param !== "code" && <ProblemAlert error={failure} title="Nothing was changed" />}
        <BusyButton type="submit" fullWidth busy={confirm.isPending}>
          Turn On
        </BusyButton>
      </Stack>
    </form>
  );
}
