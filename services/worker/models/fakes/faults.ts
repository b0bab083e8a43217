/** What a fake can do wrong on demand. Each is what a provider, or something between it and us, really does. */
export type Fault =
  /** An error of this status with the provider's own body; `retryAfter` adds the header that the provider sends. */
  | {
      readonly fault: 'status';
      readonly status: number;
      readonly message?: string;
      readonly retryAfter?: { readonly seconds: number } | { readonly ms: number };
    }
  /** Takes the request and never answers, until the client gives up or the fake is closed. */
  | { readonly fault: 'hang' }
  /** Answers as usual, but begins only after `ms`. */
  | { readonly fault: 'slow'; readonly ms: number }
  /** The connection breaks after so many events of the stream; a plain answer breaks in the middle of its body. */
  | { readonly fault: 'break'; readonly after: number }
  /** The stream says after so many events that the provider failed; a plain answer is that error. */
  | { readonly fault: 'stream_error'; readonly after: number; readonly message?: string }
  /** The connection is reset before anything is answered. */
  | { readonly fault: 'reset' }
  /** Tool calls come with this text as their arguments: empty, or not JSON. */
  | { readonly fault: 'arguments'; readonly raw: string }
  /** The model declines. Ollama knows no such thing: `fail` throws there. */
  | { readonly fault: 'refusal'; readonly text?: string }
  /** The request is refused as longer than the model takes. */
  | { readonly fault: 'context_too_long' }
  /** The model is said not to exist. */
  | { readonly fault: 'model_not_found' }
  /** The text is not JSON although JSON was asked for. */
  | { readonly fault: 'not_json'; readonly text?: string }
  /** A proxy answers in the provider's place, in HTML. */
  | { readonly fault: 'gateway'; readonly status?: number }
  /** The body ends in the middle of its JSON, with a length that fits. A stream ends without its last events. */
  | { readonly fault: 'truncated' };

export function isFault(value: object): value is Fault {
  return 'fault' in value;
}

export const htmlError = (status: number): string =>
  `<html>\r\n<head><title>${status} Bad Gateway</title></head>\r\n<body>\r\n<center><h1>${status} Bad Gateway</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n`;

export function retryHeaders(fault: Fault & { fault: 'status' }): Record<string, string> {
  if (fault.retryAfter === undefined) return {};
  return 'ms' in fault.retryAfter
    ? { 'retry-after-ms': String(fault.retryAfter.ms) }
    : { 'retry-after': String(fault.retryAfter.seconds) };
}

export function statusMessage(status: number): string {
  switch (status) {
    case 401:
      return 'invalid key';
    case 403:
      return 'this key may not use the resource';
    case 404:
      return 'not found';
    case 413:
      return 'Request exceeds the maximum size';
    case 429:
      return 'This request would exceed the rate limit. Please try again later.';
    case 503:
    case 529:
      return 'Overloaded';
    default:
      return 'Internal server error';
  }
}
