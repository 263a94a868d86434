/** The look of the console: one accent, cool greys, AA contrast in both schemes, hairlines instead of shadows. */
import {
  createTheme,
  defaultCssVariablesResolver,
  type CSSVariablesResolver,
  type MantineColorsTuple,
} from "@mantine/core";

const brand: MantineColorsTuple = [
  "#eef1fe", "#dfe4fc", "#c1cbf8", "#a0aff4", "#8396f0",
  "#677bea", "#5064e2", "#3f51d3", "#3342b4", "#2a378f",
];
const gray: MantineColorsTuple = [
  "#f8f9fb", "#f1f3f7", "#e5e8ee", "#d7dbe4", "#b9c0cd",
  "#8b94a6", "#667085", "#4b5468", "#343c4d", "#1d2433",
];
const dark: MantineColorsTuple = [
  "#dfe3ec", "#b4bccb", "#98a2b5", "#7b8699", "#3a4253",
  "#2a3140", "#1c222e", "#141922", "#0f131b", "#0a0d13",
];
const green: MantineColorsTuple = [
  "#ecfdf3", "#d8f8e4", "#b0eeca", "#7fdfa8", "#4acb84",
  "#22b066", "#159355", "#0f7745", "#0e5f39", "#0a4429",
];
const red: MantineColorsTuple = [
  "#fef2f2", "#fde3e3", "#fbcaca", "#f6a4a4", "#f27f7f",
  "#e55353", "#d63a3a", "#c02626", "#9f1f1f", "#7a1a1a",
];
const yellow: MantineColorsTuple = [
  "#fffaeb", "#fef0c7", "#fedf89", "#fdc956", "#f7b32b",
  "#dd8c10", "#bd6d09", "#9a5308", "#7a410d", "#5c320e",
];

/** A name may be long: its lines stand together, and apart from what follows. */
const DIALOG_TITLE = { fontWeight: 620, lineHeight: 1.35 } as const;

/** Shade 7 of every colour above carries white text with at least 4.5:1. */
export const theme = createTheme({
  primaryColor: "brand",
  primaryShade: 7,
  autoContrast: true,
  colors: { brand, gray, dark, green, red, yellow },
  black: gray[9],
  fontFamily:
    '"Inter Variable", system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", "JetBrains Mono", Menlo, Consolas, monospace',
  defaultRadius: 8,
  cursorType: "pointer",
  headings: {
    fontWeight: "620",
    sizes: {
      h1: { fontSize: "1.5rem", lineHeight: "1.3" },
      h2: { fontSize: "1.0625rem", lineHeight: "1.4" },
      h3: { fontSize: "0.9375rem", lineHeight: "1.4" },
    },
  },
  components: {
    Paper: { defaultProps: { withBorder: true } },
    // A dialog's <header> would count as a second banner of the page.
    Modal: {
      defaultProps: {
        padding: "lg",
        overlayProps: { backgroundOpacity: 0.45 },
        attributes: { header: { role: "none" } },
      },
      styles: { title: DIALOG_TITLE },
    },
    Drawer: {
      defaultProps: { padding: "lg", attributes: { header: { role: "none" } } },
      styles: { title: DIALOG_TITLE },
    },
    // Its first item may take the focus: an element for that alone would be no item of a menu.
    Menu: { defaultProps: { withInitialFocusPlaceholder: false } },
    Tooltip: {
      defaultProps: { multiline: true, maw: 320, openDelay: 250, events: { hover: true, focus: true, touch: true } },
    },
    Notification: { defaultProps: { closeButtonProps: { "aria-label": "Dismiss" } } },
    Fieldset: { defaultProps: { m: 0 }, styles: { legend: { fontWeight: 560 } } },
    Anchor: { defaultProps: { underline: "always" } },
    // A closed list that stays in the page would carry the name of its field a second time.
    Select: { defaultProps: { comboboxProps: { keepMounted: false } } },
    Switch: { defaultProps: { withThumbIndicator: false } },
    Badge: { defaultProps: { variant: "light", tt: "none", fw: 560, radius: "sm", miw: "max-content" } },
  },
});

/** In the dark a light button keeps its hue: a tint behind a pale tone, where Mantine puts white on near-black. */
function tinted(colors: Record<string, MantineColorsTuple>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(colors).flatMap(([name, shades]) => [
      [`--mantine-color-${name}-light`, `color-mix(in srgb, ${shades[6]} 20%, transparent)`],
      [`--mantine-color-${name}-light-hover`, `color-mix(in srgb, ${shades[6]} 30%, transparent)`],
      [`--mantine-color-${name}-light-color`, shades[3]],
    ]),
  );
}

/** Mantine's own muted, error and placeholder colours miss 4.5:1; these do not. */
export const cssVariablesResolver: CSSVariablesResolver = (resolved) => {
  const base = defaultCssVariablesResolver(resolved);
  return {
    variables: base.variables,
    light: {
      ...base.light,
      "--mantine-color-body": "#ffffff",
      "--mantine-color-text": gray[9],
      "--mantine-color-dimmed": "#596377",
      "--mantine-color-placeholder": "#667085",
      "--mantine-color-error": red[7],
      "--mantine-color-default-border": gray[3],
      "--oc-canvas": gray[0],
      "--oc-hairline": gray[2],
      "--oc-surface": "#ffffff",
      "--oc-hover": gray[1],
    },
    dark: {
      ...base.dark,
      "--mantine-color-dimmed": dark[2],
      "--mantine-color-placeholder": dark[2],
      "--mantine-color-error": red[4],
      "--mantine-color-anchor": brand[4],
      ...tinted({ brand, green, red, yellow }),
      "--oc-canvas": dark[8],
      "--oc-hairline": dark[5],
      "--oc-surface": dark[7],
      "--oc-hover": dark[6],
    },
  };
};
