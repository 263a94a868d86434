/** The dialogs of the providers' page in one chunk, loaded when the page stands. */
import { useQuery } from "@tanstack/react-query";

import type { Provider } from "@/api/types";

import { AddProviderDialog } from "./AddProviderDialog";
import { ConfigureProviderDialog } from "./ConfigureProviderDialog";
import { DeleteProviderDialog } from "./DeleteProviderDialog";
import { ModelsByHandDialog } from "./ModelsByHandDialog";
import { providerTypesQuery } from "./queries";

interface ProviderDialogsProps {
  adding: boolean;
  configuring: Provider | null;
  deleting: Provider | null;
  byHand: Provider | null;
  onClose: () => void;
}

export function ProviderDialogs({ adding, configuring, deleting, byHand, onClose }: ProviderDialogsProps) {
  useQuery(providerTypesQuery); // At hand before a dialog opens.
  return (
    <>
      <AddProviderDialog opened={adding} onClose={onClose} />
      <ConfigureProviderDialog provider={configuring} onClose={onClose} />
      <DeleteProviderDialog provider={deleting} onClose={onClose} />
      <ModelsByHandDialog provider={byHand} onClose={onClose} />
    </>
  );
}
