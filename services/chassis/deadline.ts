/** Waits for something, but not longer than `ms`. What it waits for goes on. */
export async function within(ms: number, wait: Promise<unknown> | null | undefined): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((passed) => {
    timer = setTimeout(passed, ms);
  });
  try {
    await Promise.race([wait, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for a promise, but not beyond an abort. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
