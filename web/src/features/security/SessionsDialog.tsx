/** A user's sessions, for an admin. */
import { Modal } from "@mantine/core";

import type { User } from "@/api/types";

import { SessionsTable } from "./SessionsTable";

export function SessionsDialog({ user, onClose }: { user: User | null; onClose: () => void }) {
  return (
    <Modal
      opened={user !== null}
      onClose={onClose}
      size="xl"
      title={user && `Sessions of ${user.email}`}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {user && <SessionsTable whose={user.id} />}
    </Modal>
  );
}
