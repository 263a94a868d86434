/** How a button anywhere opens what the shell owns. The palette itself is loaded later, and opens then. */
import { createSpotlight } from "@mantine/spotlight";

export const [paletteStore, palette] = createSpotlight();

export const OPEN_KEYBOARD_HELP = "ops-center:keyboard-help";
export const openKeyboardHelp = (): boolean => window.dispatchEvent(new Event(OPEN_KEYBOARD_HELP));
