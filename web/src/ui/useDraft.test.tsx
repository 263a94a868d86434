// @vitest-environment jsdom
import "@/test/setup";

import { act, renderHook } from "@testing-library/react";
import { expect, test } from "vitest";

import { useDraft } from "./useDraft";

interface Props {
  value: string;
  sent?: string;
}

function field(value: string) {
  const hook = renderHook((props: Props) => useDraft(props.value, props.sent), { initialProps: { value } as Props });
  return {
    text: () => hook.result.current[0],
    type: (text: string) => act(() => hook.result.current[1](text)),
    server: (props: Props) => hook.rerender(props),
  };
}

test("what is typed while a save is under way stays", () => {
  const { text, type, server } = field("one");
  type("two");
  server({ value: "one", sent: "two" });
  type("two and more");
  server({ value: "two", sent: "two" });
  expect(text()).toBe("two and more");
});

test("what was saved stands as the server keeps it", () => {
  const { text, type, server } = field("one");
  type(" two ");
  server({ value: "two", sent: " two " });
  expect(text()).toBe("two");
});

test("a field that nobody touched follows, one in work does not", () => {
  const { text, type, server } = field("one");
  server({ value: "another admin's" });
  expect(text()).toBe("another admin's");
  type("mine");
  server({ value: "another admin's second" });
  expect(text()).toBe("mine");
});
