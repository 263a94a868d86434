/** Shorthands over `request` for the control API's prefix. */
import { request } from "./request";

const PREFIX = "/api/v1";

type Query = Record<string, string | number | boolean | null | undefined>;

function address(path: string, query?: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return PREFIX + path + (text ? `?${text}` : "");
}

function send<T>(method: string, path: string, body?: unknown): Promise<T> {
  return request<T>(address(path), {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
}

export const api = {
  get: <T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> =>
    request<T>(address(path, query), { signal: signal ?? null }),
  post: <T>(path: string, body?: unknown): Promise<T> => send<T>("POST", path, body),
  put: <T>(path: string, body: unknown): Promise<T> => send<T>("PUT", path, body),
  patch: <T>(path: string, body: unknown): Promise<T> => send<T>("PATCH", path, body),
  delete: (path: string): Promise<void> => send<void>("DELETE", path),
};
