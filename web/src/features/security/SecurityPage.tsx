/** Security: one's own password, and where one is signed in. */
import { Stack } from "@mantine/core";

import { PageHeader } from "@/ui/PageHeader";
import { Panel } from "@/ui/Panel";

import { PasswordForm } from "./PasswordForm";
import { SecondFactorPanel } from "./SecondFactorPanel";
import { SessionsTable } from "./SessionsTable";

export function SecurityPage() {
  return (
    <>
      <PageHeader title="Security" description="How you sign in, and where you are signed in." />
      <Stack gap="lg">
        <Panel title="Sessions" description="A session you do not know: end it, then change your password.">
          <SessionsTable whose={null} />
        </Panel>
        <SecondFactorPanel />
        <Panel title="Password" description="A new one ends your other sessions.">
          <PasswordForm />
        </Panel>
      </Stack>
    </>
  );
}
