/** The one way to the control API: JSON in and out, and every failure as an `ApiError` that can be shown. */

interface ErrorBody {
  error?: { type?: string; message?: string; hint?: string | null; param?: string | null };
}

/** A failure in the API's own words. `status` is 0 when no answer came at all. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly status: number,
    readonly type: string,
    message: string,
    readonly hint: string | null = null,
    readonly param: string | null = null,
    readonly retryAfterSeconds: number | null = null,
  ) {
    super(message);
  }

  /** True when asking again later may help: no answer, a restart, an overload. */
  get isTransient(): boolean {
    return this.status === 0 || this.status >= 500 || this.status === 429;
  }
}

/** Any thrown value as an `ApiError`, so that callers show one kind of thing. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError(0, "internal_error", error instanceof Error ? error.message : String(error));
}

async function failure(response: Response): Promise<ApiError> {
  const retryAfter = Number(response.headers.get("retry-after") ?? "");
  let body: ErrorBody = {};
  try {
    body = (await response.json()) as ErrorBody;
  } catch {
    // A proxy's error page: the status is all there is to say.
  }
  const { type, message, hint, param } = body.error ?? {};
  return new ApiError(
    response.status,
    type ?? "http_error",
    message ?? `The server answered ${response.status}`,
    hint ?? null,
    param ?? null,
    Number.isFinite(retryAfter) && retryAfter > 0 ? retryAfter : null,
  );
}

/** Calls `url` (with its /api/v1) and returns the JSON; throws `ApiError`, or AbortError when cancelled. */
export async function request<T>(url: string, init: RequestInit = {}): Promise<T> {
  let response: Response;
  try {
    response = await fetch(url, {
      ...init,
      credentials: "same-origin",
      headers: { accept: "application/json", ...init.headers },
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(
      0,
      "unreachable",
      "The server did not answer",
      "It may be restarting; this page tries again by itself.",
    );
  }
  if (!response.ok) throw await failure(response);
  if (response.status === 204) return undefined as T;
  try {
    return (await response.json()) as T;
  } catch {
    throw new ApiError(response.status, "unexpected_answer", "The server's answer was not JSON");
  }
}
