/** How a button anywhere opens what the shell owns; the palette itself is loaded later. */

export const OPEN_COMMANDS = "ops-center:commands";
export const OPEN_KEYBOARD_HELP = "ops-center:keyboard-help";

export const openCommands = (): boolean => window.dispatchEvent(new Event(OPEN_COMMANDS));
export const openKeyboardHelp = (): boolean => window.dispatchEvent(new Event(OPEN_KEYBOARD_HELP));
